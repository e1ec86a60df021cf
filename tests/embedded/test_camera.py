"""The other look of a scene: a pure function of scene, look and seed, which moves nothing and costs the model."""

import hashlib
import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vlm_grpo.adapters.checkpoint import shipped_folder
from vlm_grpo.embedded import synthetic_vsr
from vlm_grpo.embedded.camera import RANDOMISED, REAL, Look, photograph_array
from vlm_grpo.embedded.measure import REASONING_START, MeasuredRow, completions
from vlm_grpo.embedded.scenes import COLOURS, backdrop, pair_scene, render_array
from vlm_grpo.embedded.synthetic_vsr import LOOKS, draw
from vlm_grpo.prompts import TRUE_FALSE
from vlm_grpo.rows import dataset
from vlm_grpo.store import manifest
from vlm_grpo.tasks.answers.truth import TRUTH

SMALL = {"train": 8, "validation": 8, "test": 8}
PARTS = ("grain", "pebbles", "stripes", "shadow", "falloff", "lamp", "blur", "noise")


@pytest.fixture(scope="module")
def scenes():
    rng = random.Random(0)
    return [pair_scene(rng, relation="left of", label=True, pool="test") for _ in range(8)]


def test_a_look_of_nothing_is_the_flat_picture(scenes) -> None:
    for scene in scenes:
        assert np.array_equal(photograph_array(scene, Look(), seed=3), render_array(scene))


def test_a_picture_is_a_function_of_scene_look_and_seed(scenes) -> None:
    first, other = scenes[:2]
    taken = photograph_array(first, REAL, seed=0)
    assert taken.tobytes() == photograph_array(first, REAL, seed=0).tobytes()
    reversed_things = replace(first, things=first.things[::-1])
    assert taken.tobytes() == photograph_array(reversed_things, REAL, seed=0).tobytes(), "order says nothing to see"
    for differing in ((first, REAL, 1), (other, REAL, 0), (first, RANDOMISED, 0)):
        scene, look, seed = differing
        assert taken.tobytes() != photograph_array(scene, look, seed=seed).tobytes()


@pytest.mark.parametrize("part", PARTS)
def test_each_part_of_a_look_shows(scenes, part: str) -> None:
    alone = Look(**{part: getattr(REAL, part)})
    changed = np.any(photograph_array(scenes[0], alone, seed=0) != render_array(scenes[0]), axis=-1)
    things = np.any(render_array(scenes[0]) != backdrop(), axis=-1)
    assert changed.any()
    if part in ("grain", "pebbles", "shadow"):
        assert not (changed & things).any(), "it lies on the ground"
    if part == "stripes":
        assert not (changed & ~things).any()


def test_things_keep_their_places_and_can_be_told_by_their_colours(scenes) -> None:
    for scene in scenes:
        real = photograph_array(scene, REAL, seed=0).astype(float)
        for thing in scene.things:
            own = np.all(render_array(scene) == COLOURS[thing.colour], axis=-1)
            mean = real[own].mean(axis=0)
            shade = {name: np.dot(mean, rgb) / np.linalg.norm(rgb) for name, rgb in COLOURS.items()}
            assert max(shade, key=shade.__getitem__) == thing.colour


def test_the_real_data_set_asks_the_flat_ones_questions(tmp_path: Path) -> None:
    for look in LOOKS:
        synthetic_vsr.build(tmp_path / look, seed=0, rows=SMALL, look=look)
    flat, *others = (dataset.load(tmp_path / look, "test") for look in LOOKS)
    assert all(rows == flat for rows in others)
    pictures = {look: (tmp_path / look / flat[0].images[0]).read_bytes() for look in LOOKS}
    assert len({hashlib.sha256(picture).digest() for picture in pictures.values()}) == len(LOOKS)
    configs = {look: manifest.read(tmp_path / look)["config"] for look in LOOKS}
    assert [configs[look].get("look") for look in LOOKS] == [None, "real", "randomised"]
    assert "look" not in json.loads((tmp_path / "flat" / manifest.IDENTITY).read_text()), "as before there were any"


def test_the_real_look_costs_the_base_some_of_its_reasoning() -> None:
    items = synthetic_vsr.draw_split("test", 64, seed=0)
    rows = [synthetic_vsr.as_row(item) for item in items]
    right = {}
    for look in ("flat", "real"):
        asked = [
            MeasuredRow(row.problem, TRUE_FALSE, draw(item.scene, look=look, seed=0))
            for row, item in zip(rows, items, strict=True)
        ]
        ((_, texts),) = completions(shipped_folder("qwen2_5_vl"), asked, ["reasoning"], start=REASONING_START, seed=0)
        right[look] = sum(TRUTH.read(text) is bool(i.record.label) for text, i in zip(texts, items, strict=True))
    assert right["flat"] >= 60
    assert 0.6 * 64 <= right["real"] <= right["flat"] - 4
