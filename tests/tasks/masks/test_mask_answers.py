"""What an outline is worth: frames, solutions, the two IoUs, the format, hostile coefficients, figures."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shapes import ellipse
from vlm_grpo.errors import UserError
from vlm_grpo.rewards.registry import REWARDS
from vlm_grpo.tasks.masks import outlines
from vlm_grpo.tasks.masks.codecs import CODECS
from vlm_grpo.tasks.masks.task import EGG, KITE, LEAF, TASK, answer, said
from vlm_grpo.tasks.view import View

WIDE = outlines.as_rle(ellipse((160, 120), (80, 60), (60, 20), turn=0.5))
VIEWS = (
    View(frame="pixels", sizes=((160, 120),), shown=((168, 112),)),
    View(frame="resized_pixels", sizes=((160, 120),), shown=((168, 112),)),
    View(frame="thousandths", sizes=((160, 120),), shown=((168, 112),)),
)
HOSTILE = st.one_of(
    st.integers(-(10**12), 10**12),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([1e308, -1e308, 1e9, -1e9, True, None, "80", [], {}]),
)


def row_of(codec, mask=WIDE):
    reference = CODECS[codec].encode(outlines.pixels(mask))
    return EGG.model_copy(
        update={"solution": json.dumps(mask), "meta": {"codec": codec, "reference": json.dumps(reference)}}
    )


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.frame)
def test_what_sft_teaches_in_a_frame_is_worth_what_the_codec_keeps(codec, view):
    row = row_of(codec)
    outcome = TASK.outcome(TASK.target(row, "tagged", view), row, rule="strict", view=view)
    assert outcome.credit == pytest.approx(CODECS[codec].round_trip(WIDE), abs=0.08)
    if view.frame == "thousandths":
        assert TASK.outcome(TASK.target(row, "tagged", view), row, rule="strict").credit < 0.3


def test_the_two_ious_differ_by_what_the_codec_loses():
    row = row_of("cosine8")
    completion = said(json.loads(row.meta["reference"]))
    assert REWARDS["mask_iou_decoded"].score(completion, row, rule="strict") == 1.0
    assert REWARDS["mask_iou"].score(completion, row, rule="strict") == pytest.approx(
        CODECS["cosine8"].round_trip(WIDE), abs=0.01
    )
    assert REWARDS["mask_iou"].score(completion, row, rule="strict") < 0.9


def test_a_reference_with_a_size_is_a_solution_and_one_without_is_none():
    value = json.loads(row_of("cosine8").meta["reference"])
    tagged = f"<answer> {json.dumps(value | {'size': [120, 160]})} </answer>"
    row = EGG.model_copy(update={"solution": tagged})
    assert outlines.iou(TASK.truth(row), WIDE) == pytest.approx(CODECS["cosine8"].round_trip(WIDE))
    for damaged in (json.dumps(value), json.dumps(value | {"size": [0, 160]}), "a dog", "[1]", '{"size": [5, 5]}'):
        with pytest.raises(UserError, match="is no mask as run lengths"):
            TASK.truth(EGG.model_copy(update={"solution": damaged}))
    with pytest.raises(UserError, match="unknown codec 'sine'"):
        answer(EGG.model_copy(update={"meta": {"codec": "sine"}}))


@pytest.mark.parametrize("name", ["mask_iou", "mask_iou_decoded", "mask_format"])
@given(
    centre=st.lists(HOSTILE, max_size=3) | HOSTILE,
    coeffs=st.lists(HOSTILE, min_size=7, max_size=9) | HOSTILE,
    points=st.lists(st.lists(HOSTILE, min_size=2, max_size=2), max_size=5),
    text=st.text(max_size=30),
)
@example(centre=[80, 60], coeffs=[1e9] * 8, points=[[1e9, -1e9]] * 3, text="{" * 2000)
@example(centre=[1e9, -1e9], coeffs=[-1e9] * 8, points=[], text='{"centre": [80, 60], "coeffs": ' + "[" * 5000)
def test_no_answer_raises_or_leaves_the_range(name, centre, coeffs, points, text):
    cosine = json.dumps({"centre": centre, "coeffs": coeffs})
    fourier = json.dumps({"centre": centre, "cos": coeffs, "sin": coeffs})
    for row, body in ((EGG, cosine), (LEAF, fourier), (KITE, json.dumps(points)), (EGG, text), (KITE, text)):
        for rule in ("strict", "relaxed"):
            value = REWARDS[name].score(f"<think> a </think> <answer> {body} </answer>", row, rule=rule)
            assert 0.0 <= value <= 1.0


def test_a_shape_that_covers_everything_earns_its_share_and_is_not_right():
    outcome = TASK.outcome(said({"centre": [80, 60], "coeffs": [1e6, 0, 0, 0, 0, 0, 0, 0]}), EGG, rule="strict")
    assert outcome.credit == pytest.approx(outlines.area(TASK.truth(EGG)) / (160 * 120))
    assert not outcome.right


def test_a_fence_is_read_relaxed_only_and_never_earns_the_format():
    fenced = f"<think> a </think> <answer> ```json\n{EGG.meta['reference']}\n``` </answer>"
    assert TASK.outcome(fenced, EGG, rule="relaxed").credit == 1.0
    assert TASK.outcome(fenced, EGG, rule="strict").said is None
    assert REWARDS["mask_format"].score(fenced, EGG, rule="relaxed") == 0.0


def test_figures_count_unread_answers_as_empty():
    outcomes = [TASK.outcome(text, EGG, rule="strict") for text in (said(json.loads(EGG.meta["reference"])), "no")]
    assert TASK.figures(outcomes) == {"giou": 0.5, "ciou": 0.5, "at50": 0.5, "at70": 0.5, "at90": 0.5}
