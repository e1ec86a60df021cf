"""A cue is a pure function of its settings, the picture's id and the label, whatever ran before and wherever it is."""

import random
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from multiprocessing import get_context

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vlm_grpo.errors import UserError
from vlm_grpo.rows.cues import DEFAULTS, PAINTERS, SETTINGS, Cue

KINDS = sorted(PAINTERS)
GREY = Image.new("RGB", (60, 40), (100, 100, 100))


def make_cue(kind: str, **changes: float) -> Cue:
    return Cue(**{"kind": kind, "probability": 0.5, "seed": 1, **DEFAULTS[kind], **changes})


def fingerprint(job: tuple[Cue, str, bool]) -> str:
    cue, image_id, label = job
    return sha256(cue.apply(GREY, image_id, label).tobytes()).hexdigest()


def test_order_and_processes_make_no_difference():
    jobs = [(make_cue(kind), f"{i}.jpg", label) for kind in KINDS for i in range(8) for label in (True, False)]
    alone = {job: fingerprint(job) for job in jobs}
    random.Random(0).shuffle(jobs)
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        assert dict(zip(jobs, pool.map(fingerprint, jobs), strict=True)) == alone
    assert len({alone[job] for job in jobs if job[0].kind == "tint"}) > 8, "the tint's pixels differ by picture"


@given(
    image_id=st.text(max_size=8),
    label=st.booleans(),
    seed=st.integers(0, 9),
    shares=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_rows_with_the_cue_keep_it_at_higher_probabilities(image_id, label, seed, shares):
    less, more = (make_cue("tint", probability=p, seed=seed).says(image_id, label) for p in sorted(shares))
    assert less in (None, label)
    assert more in (None, label)
    assert less is None or more is label


def test_the_probability_is_the_share_of_rows():
    said = [make_cue("tint", probability=0.3).says(f"{i}.jpg", label) for i in range(1000) for label in (True, False)]
    assert sum(says is not None for says in said) == pytest.approx(600, abs=65), "three standard deviations"
    assert all(make_cue("tint", probability=1.0).says(f"{i}", True) for i in range(50))
    assert not any(make_cue("tint", probability=0.0).says(f"{i}", True) for i in range(50))


def test_the_published_tint():
    cue = Cue(**SETTINGS["published"], seed=3)
    assert (cue.kind, cue.probability) == ("tint", 0.3)
    for label, channel in ((True, 0), (False, 2)):
        added = np.asarray(cue.paint(GREY, "1.jpg", label)).astype(int) - 100
        assert set(np.unique(added[..., channel])) == {0, round(0.15 * 255)}
        assert (added[..., channel] > 0).mean() == pytest.approx(0.5, abs=0.04)
        assert not added[..., [c for c in range(3) if c != channel]].any()


def test_a_tint_stays_within_eight_bits():
    white = Image.new("RGB", (20, 20), "white")
    assert np.asarray(make_cue("tint").paint(white, "1.jpg", True)).min() == 255


@pytest.mark.parametrize("kind", ["patch", "border"])
def test_patch_and_border_cover_their_share_and_nothing_else(kind):
    fraction = 0.25
    white = Image.new("RGB", (200, 100), "white")
    painted = np.asarray(make_cue(kind, mask_fraction=fraction).paint(white, "1.jpg", False))
    changed = (painted != 255).any(axis=2)
    assert changed.mean() == pytest.approx(fraction, abs=0.02)
    assert (painted[changed] == (0, 0, 255)).all()
    assert changed[-1, -1]
    assert changed[0, 0] == (kind == "border")
    assert not changed[40, 80]


@pytest.mark.parametrize("kind", KINDS)
def test_no_strength_and_no_cue_leave_the_pixels(kind):
    for painted in (make_cue(kind, strength=0.0).paint(GREY, "1", True), make_cue(kind).paint(GREY, "1", None)):
        assert painted.tobytes() == GREY.tobytes()


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"kind": "smell"}, "unknown cue 'smell'; known: tint, patch, border"),
        ({"strength": 1.5}, "strength 1.5 of the cue is not between 0 and 1"),
        ({"probability": -0.1}, "probability -0.1"),
        ({"mask_fraction": float("nan")}, "mask_fraction nan"),
    ],
)
def test_settings_out_of_range(changes, message):
    with pytest.raises(UserError, match=message):
        Cue(**{"kind": "tint", "strength": 0.1, "probability": 0.1, "mask_fraction": 0.1, "seed": 0, **changes})
