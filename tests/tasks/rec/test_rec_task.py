"""`rec`: boxes of every frame and spelling are worth their overlap with the true one, in the picture's own pixels."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from transformers import Qwen2VLImageProcessorPil

from vlm_grpo.adapters.qwen import QWEN
from vlm_grpo.rewards.registry import REWARDS
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.rec.answer import NO_TARGET, TARGET, write
from vlm_grpo.tasks.rec.boxes import clipped, has_centre_of, iou
from vlm_grpo.tasks.rec.task import NAME, OFFERS_NONE, TASK
from vlm_grpo.tasks.view import AS_IS, View

BOX = st.tuples(st.floats(0, 300), st.floats(0, 200), st.floats(1, 300), st.floats(1, 200)).map(
    lambda box: [box[0], box[1], box[0] + box[2], box[1] + box[3]]
)


def row(solution, *, offers_none=False):
    text = solution if isinstance(solution, str) else json.dumps(solution)
    return Row(id="r", images=("a.png",), problem="?", solution=text, task=NAME, meta={OFFERS_NONE: offers_none})


def said(text):
    return f"<answer> {text} </answer>"


def view(frame, size, shown=None):
    return View(frame=frame, sizes=(size,), shown=(shown or size,))


class Processor:
    def __init__(self, patch):
        size = {"shortest_edge": 4 * (2 * patch) ** 2, "longest_edge": 10**7}
        self.image_processor = Qwen2VLImageProcessorPil(patch_size=patch, merge_size=2, size=size)


@pytest.mark.parametrize("patch", [14, 16])
@pytest.mark.parametrize("size", [(640, 480), (640, 427), (500, 375), (10, 300), (31, 17)])
def test_a_box_of_resized_pixels_comes_back_whatever_the_patch(patch, size):
    """VLM-R1 divides by 14 for every family, and after one small picture by a stale size (reference, 3.6 and 5)."""
    processor = Processor(patch)
    shown = QWEN.shown_size(processor, size)
    pictures = [Image.new("RGB", one) for one in ((20, 20), size)]
    encoded = processor.image_processor(images=pictures, return_tensors="pt")
    _, high, wide = encoded["image_grid_thw"][1].tolist()
    assert shown == (wide * patch, high * patch)
    seen = view("resized_pixels", size, shown)
    whole = TASK.outcome(said(json.dumps([0, 0, *shown])), row([0, 0, *size]), rule="strict", view=seen)
    assert whole.said == pytest.approx([0, 0, *size])
    assert whole.credit == pytest.approx(1)
    half = [0, 0, shown[0] / 2, shown[1]]
    outcome = TASK.outcome(said(json.dumps(half)), row([0, 0, *size]), rule="strict", view=seen)
    assert outcome.credit == pytest.approx(0.5)


@given(box=BOX, frame=st.sampled_from(["pixels", "resized_pixels", "thousandths"]))
def test_what_sft_teaches_in_a_frame_is_the_box_but_for_rounding(box, frame):
    seen = view(frame, (640, 427), (644, 420))
    for wording in TASK.wordings:
        taught = TASK.target(row(box), wording, seen)
        rule = "bare" if wording == "bare" else "strict"
        outcome = TASK.outcome(taught, row(box), rule=rule, view=seen)
        assert all(abs(a - b) <= 1.01 for a, b in zip(outcome.said, box, strict=True))
        assert TASK.target(row(NO_TARGET), wording, seen).count(NO_TARGET) == 1


def test_a_box_that_rounds_to_nothing_keeps_an_area():
    assert json.loads(write([10.2, 10.3, 10.4, 10.4])) == [10, 10, 11, 11]


@pytest.mark.parametrize(
    "text, strict, relaxed",
    [
        ("[300, 200, 100, 50]", None, 1.0),  # corners swapped
        ("[100, 200, 300, 50]", None, 1.0),  # one axis alone
        ("[100.0, 5e1, 300.00, 200]", 1.0, 1.0),
        ("[-20.5, 50, 300, 200]", 0.5 / 0.75, 0.5 / 0.75),  # outside to the left: clipped, 300 wide instead of 320.5
        ("[\n 100,\n 50,\n 300,\n 200\n]", 1.0, 1.0),
        ('{\n "bbox_2d": [100,\n50, 300, 200],\n "label": "the\\nleft dog"\n}', 1.0, 1.0),
        ('```json\n[\n{"bbox_2d": [100, 50, 300, 200]}\n]\n```', None, 1.0),
        ("It is at [100, 50, 300, 200].", None, 1.0),
        ("(100, 50), (300, 200)", None, None),
        ("[100, 50, 300]", None, None),
        ("none", None, 0.0),
        ("no target", 0.0, 0.0),
    ],
)
def test_spellings(text, strict, relaxed):
    seen, truth = view("pixels", (400, 300)), row([100, 50, 300, 200])
    for rule, worth in (("strict", strict), ("relaxed", relaxed)):
        outcome = TASK.outcome(said(text), truth, rule=rule, view=seen)
        assert (outcome.said is None) == (worth is None)
        assert outcome.credit == pytest.approx(worth or 0.0)


def test_a_box_is_clipped_to_the_picture_and_one_outside_earns_nothing():
    seen, truth = view("pixels", (400, 300)), row([300, 200, 400, 300])
    over = TASK.outcome(said("[300, 200, 900, 700]"), truth, rule="strict", view=seen)
    assert (over.credit, over.said) == (1.0, [300, 200, 900, 700])
    for outside in ("[500, 200, 600, 300]", "[-90, -90, -10, -10]", "[400, 0, 410, 300]"):
        assert TASK.outcome(said(outside), truth, rule="strict", view=seen).credit == 0.0
    every = TASK.outcome(said("[-9999, -9999, 9999, 9999]"), truth, rule="strict", view=seen)
    assert every.credit == pytest.approx(1e4 / 1.2e5)


def test_no_pixel_is_added_or_taken_off():
    """VLM-R1's IoU counts an overlap of a pixel or less as none, and fails where a box has no area (reference, 3.6)."""
    assert iou([5, 5, 6, 6], [5, 5, 6, 6]) == 1.0
    assert iou([0, 0, 10, 1], [0, 0, 10, 2]) == 0.5
    assert iou([0, 0, 10, 10], [9.5, 0, 19.5, 10]) == pytest.approx(5 / 195)
    assert iou([0, 0, 10, 10], [10, 0, 20, 10]) == 0.0
    assert iou([3, 3, 3, 3], [3, 3, 3, 3]) == 0.0


@given(one=BOX, other=BOX, scale=st.floats(0.1, 10))
def test_iou_is_symmetric_bounded_and_blind_to_scale(one, other, scale):
    value = iou(one, other)
    assert 0 <= value <= 1
    assert value == iou(other, one)
    assert iou(one, one) == 1
    assert iou([scale * edge for edge in one], [scale * edge for edge in other]) == pytest.approx(value, abs=1e-6)
    inside = clipped(one, (250, 150))
    assert clipped(inside, (250, 150)) == inside
    assert has_centre_of(one, one)


def test_no_target_is_an_answer_of_its_own():
    for rule in ("strict", "relaxed"):
        there, absent = row([1, 2, 30, 40], offers_none=True), row(NO_TARGET, offers_none=True)
        assert TASK.outcome(said("no target"), absent, rule=rule).right
        assert not TASK.outcome(said("[1, 2, 30, 40]"), absent, rule=rule).right
        assert not TASK.outcome(said("no target"), there, rule=rule).right
        assert TASK.outcome(said(""), absent, rule=rule).said is None
    for text in ("none", "null", "[]", "{}", '{"bbox_2d": null}', '[{"bbox_2d": []}]', "There is no target here."):
        assert TARGET.read(said(text), "strict") is None
        assert TARGET.read(said(text), "relaxed") == NO_TARGET
    for text in ("no target, but [1, 2, 30, 40]", "not sure", "no dog", "nothing"):
        assert TARGET.read(said(text), "relaxed") is None


def test_only_a_data_set_with_absent_targets_offers_none():
    seen = view("thousandths", (640, 480))
    assert "no target" not in TASK.answer(row([1, 2, 3, 4])).asks_in(seen)
    assert "or no target if" in TASK.answer(row([1, 2, 3, 4], offers_none=True)).asks_in(seen)


def test_figures_keep_targets_and_their_absence_apart():
    truth = [0, 0, 100, 100]
    answers = ["[0, 0, 100, 100]", "[0, 0, 100, 60]", "[0, 0, 40, 100]", "no target", "dunno"]
    outcomes = [TASK.outcome(said(text), row(truth, offers_none=True), rule="strict") for text in answers]
    absent = row(NO_TARGET, offers_none=True)
    outcomes += [TASK.outcome(said(text), absent, rule="strict") for text in ("no target", "[0, 0, 9, 9]")]
    assert TASK.figures(outcomes) == {
        "targets": 5,
        "iou": pytest.approx((1 + 0.6 + 0.4) / 5),
        "acc_30": 0.6,
        "acc_50": 0.4,
        "acc_70": 0.2,
        "acc_90": 0.2,
        "centre": 0.6,
        "denied": 0.2,
        "no_targets": 2,
        "no_target": 0.5,
    }
    assert TASK.figures(outcomes[:5])["no_target"] is None
    assert TASK.figures(outcomes[5:])["iou"] is None


def test_rewards_are_soft_or_at_a_threshold():
    texts = ("[0, 0, 100, 100]", "[0, 0, 100, 60]", "[0, 0, 100, 50]", "[0, 0, 100, 49]", "no box")
    scores = {
        name: [REWARDS[name].score(said(text), row([0, 0, 100, 100]), rule="strict") for text in texts]
        for name in ("iou", "iou_50", "iou_75")
    }
    assert scores["iou"] == pytest.approx([1, 0.6, 0.5, 0.49, 0])
    assert scores["iou_50"] == [1, 1, 1, 0, 0]
    assert scores["iou_75"] == [1, 0, 0, 0, 0]
    seen = view("thousandths", (100, 100))
    assert REWARDS["iou"].score(said("[0, 0, 1000, 600]"), row([0, 0, 100, 100]), rule="strict", view=seen) == 0.6
    other = row("True").model_copy(update={"task": "vsr"})
    assert REWARDS["iou"].score("<answer> True </answer>", other, rule="strict") is None


def test_as_it_is_means_pixels():
    assert TASK.outcome(said("[0, 0, 10, 10]"), row([0, 0, 10, 10]), rule="strict", view=AS_IS).said == [0, 0, 10, 10]


def test_a_flood_is_read_in_linear_time():
    """Quadratic readers need hours for this."""
    for flood in ("[", "[[1, 2, ", '{"box": ', "no target ", "no no target", "null ", "```json", "1, "):
        for text in (flood * 20_000, said(flood * 20_000)):
            for rule in ("strict", "relaxed", "bare", "bare_relaxed"):
                TARGET.read(text, rule)
