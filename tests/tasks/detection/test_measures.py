"""What a list of boxes is worth: order, hallucinated labels, duplicates, None, the formulas, hostile answers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vlm_grpo.methods.examples import sft_dataset
from vlm_grpo.rewards.detection import MEASURES
from vlm_grpo.rewards.registry import REWARDS
from vlm_grpo.tasks.coco.average_precision import average_precision as coco_ap
from vlm_grpo.tasks.detection import measures
from vlm_grpo.tasks.detection.matching import iou_table, pair
from vlm_grpo.tasks.detection.task import EMPTY, TASK, TWO, said
from vlm_grpo.tasks.view import View

SIDE = st.integers(0, 60)
BOX = st.builds(
    lambda x, y, w, h, label: {"bbox_2d": [x, y, x + w + 1, y + h + 1], "label": label},
    *(SIDE, SIDE, SIDE, SIDE, st.sampled_from(["person", "Dog", "kite"])),
)
BOXES = st.lists(BOX, max_size=5)


def box(left, top, right, bottom, label="person"):
    return {"bbox_2d": [left, top, right, bottom], "label": label}


TRUE = [box(0, 0, 10, 10), box(20, 0, 30, 10), box(0, 20, 10, 30, "dog")]


@given(answer=BOXES, true=BOXES, data=st.data())
def test_the_order_of_both_lists_plays_no_part(answer, true, data):
    others = data.draw(st.permutations(answer)), data.draw(st.permutations(true))
    for measure in MEASURES.values():
        value = measure(answer, true)
        assert 0.0 <= value <= 1.0
        assert measure(*others) == pytest.approx(value)
        assert measure(true, true) == pytest.approx(1.0)


@pytest.mark.parametrize("name", MEASURES)
def test_labels_that_are_not_there_duplicates_and_missing_boxes_cost(name):
    measure = MEASURES[name]
    assert measure([*TRUE, box(0, 0, 10, 10, "cat")], TRUE) < 1
    assert measure([*TRUE, TRUE[0]], TRUE) < 1
    assert measure([*TRUE, *TRUE], TRUE) < measure([*TRUE, TRUE[0]], TRUE)
    assert measure(TRUE[:2], TRUE) < 1
    places = [(x, y) for x in range(0, 60, 2) for y in range(0, 60, 2)]
    spam = [box(x, y, x + 10, y + 10, label) for x, y in places for label in ("person", "dog")]
    assert measure([*TRUE, *spam], TRUE) < (0.9 if name == "weighted_sum" else 0.01)


@pytest.mark.parametrize("name", MEASURES)
def test_none_is_worth_something_only_where_it_is_said_and_true(name):
    score = REWARDS[name].score
    assert score("<answer> None </answer>", EMPTY, rule="strict") == 1.0
    assert score("<answer> none. </answer>", EMPTY, rule="relaxed") == 1.0
    for other in ("none", "nothing", "no objects", "", "{}", "null", "[[]]", "[1, 2]", "[NaN, 1, 2, 3]"):
        assert score(f"<answer> {other} </answer>", EMPTY, rule="strict") == 0.0
        assert score(f"<answer> {other} </answer>", TWO, rule="strict") == 0.0


def test_the_formulas():
    off = [box(0, 0, 10, 8), TRUE[1], TRUE[2], box(40, 40, 50, 50)]
    assert measures.average_precision(TRUE[:1], TRUE, thresholds=measures.AT_50) == pytest.approx((0.5 + 0) / 2)
    assert measures.average_precision(off, TRUE, thresholds=measures.AT_50) == pytest.approx((2 / 3 + 1) / 2)
    assert measures.od_length(off, TRUE) == pytest.approx(measures.average_precision(off, TRUE) * 3 / 4)
    assert measures.od_length(TRUE[:1], TRUE) == measures.average_precision(TRUE[:1], TRUE)
    assert measures.weighted(off, TRUE) == pytest.approx(0.7 * (0.8 + 1 + 1) / 3 + 0.3 * (1 + 3 / 4) / 2)
    assert measures.weighted([], TRUE) == measures.weighted(TRUE, []) == 0.0
    assert measures.weighted([box(0, 0, 10, 10, "cat")], TRUE) == 0.0


@given(kept=st.lists(st.booleans(), min_size=3, max_size=3))
def test_without_a_wrong_box_ap_is_that_of_pycocotools(kept):
    answer = [entry for entry, is_kept in zip(TRUE, kept, strict=True) if is_kept]
    ids = {"person": 1, "dog": 2}

    def entries(boxes, **others):
        return [
            {
                "image_id": 1,
                "category_id": ids[entry["label"]],
                "bbox": [left, top, right - left, bottom - top],
                **others,
            }
            for entry in boxes
            for left, top, right, bottom in (entry["bbox_2d"],)
        ]

    theirs = coco_ap(entries(TRUE, area=100), entries(answer, score=1.0), kind="bbox", sizes={1: (64, 64)})
    assert measures.average_precision(answer, TRUE) == pytest.approx(theirs["AP"], abs=0.01)


def test_pairs_are_as_many_as_can_be():
    """Greedy by IoU takes the middle one first and leaves one of two pairs."""
    true = [box(0, 0, 10, 10), box(3, 0, 13, 10)]
    answer = [box(2, 0, 12, 10), box(6, 0, 16, 10)]
    assert len(pair(iou_table(answer, true)).ious) == 2


def test_a_box_without_a_label_is_read_and_pairs_with_nothing():
    """The original raised on a first match without a label."""
    first = {"bbox_2d": [10, 20, 60, 140]}
    mixed = said(first, {"bbox_2d": [60, 90, 120, 140], "label": "dog"})
    outcome = TASK.outcome(mixed, TWO, rule="strict")
    assert [entry["label"] for entry in outcome.said] == [None, "dog"]
    assert outcome.credit == pytest.approx(1 / 3)
    assert REWARDS["weighted_sum"].score(mixed, TWO, rule="strict") == pytest.approx(0.7 / 2 + 0.3 / 2)
    json.dumps(TASK.figures([outcome]), allow_nan=False)


def test_boxes_are_brought_from_the_models_frame_to_the_pictures_pixels():
    view = View(frame="thousandths", sizes=((200, 400),), shown=((224, 392),))
    target = TASK.target(TWO, "tagged", view)
    assert '"bbox_2d": [50, 50, 300, 350]' in target
    outcome = TASK.outcome(target, TWO, rule="strict", view=view)
    assert outcome.said == [box(10, 20, 60, 140), box(60, 90, 120, 140, "dog")] == outcome.truth
    assert not TASK.outcome(target, TWO, rule="strict").right


def test_sft_teaches_the_boxes_where_the_model_sees_them(tmp_path):
    Image.new("RGB", (200, 400)).save(tmp_path / "street.jpg")
    row = TWO.model_copy(update={"images": ("street.jpg",)})
    views = {row.id: View(frame="thousandths", sizes=((200, 400),), shown=((224, 392),))}
    (taught,) = sft_dataset([row], root=tmp_path, prompt="reason", target="tagged", views=views)["completion"]
    assert '"bbox_2d": [50, 50, 300, 350]' in taught[0]["content"]


def test_figures_count_what_is_missed_and_what_is_too_much():
    outcomes = [TASK.outcome(text, TWO, rule="strict") for text in (TASK.target(TWO, "tagged"), "no", said())]
    outcomes.append(TASK.outcome(said(box(0, 0, 5, 5, "zebra")), EMPTY, rule="strict"))
    figures = TASK.figures(outcomes)
    assert figures["precision50"] == pytest.approx(2 / 3)
    assert figures["recall50"] == pytest.approx(2 / 6)
    assert figures["AP50"] == pytest.approx(1 / 3, abs=0.01)
    assert set(TASK.figures([outcomes[-1]]).values()) == {None, 0.0}


@given(
    text=st.text(max_size=60), body=st.recursive(st.floats() | st.text(max_size=3) | st.none(), st.lists, max_leaves=8)
)
def test_no_answer_raises_or_leaves_the_range(text, body):
    hostile = json.dumps([{"bbox_2d": body, "label": text}])
    for name in MEASURES:
        for inside in (text, hostile, json.dumps(body)):
            for rule in ("strict", "relaxed"):
                value = REWARDS[name].score(f"<answer> {inside} </answer>", TWO, rule=rule)
                assert 0.0 <= value <= 1.0
