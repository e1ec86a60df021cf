"""The boxes that thoughts name: recall and precision count, repeats do not pay; the study's flaws can be chosen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlm_grpo.rewards.registry import REWARDS
from vlm_grpo.tasks.answers.letters import LETTERS
from vlm_grpo.tasks.driving.columns import Entity
from vlm_grpo.tasks.driving.measures import distinct
from vlm_grpo.tasks.driving.spelling import boxes_in, respelled, spelled, without_boxes
from vlm_grpo.tasks.driving.task import CAR, LIGHT, OTHER_CAR, PEDESTRIAN, TASK, example
from vlm_grpo.tasks.view import View

BOX = st.tuples(*[st.integers(0, 400)] * 2, *[st.integers(1, 200)] * 2).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)
ENTITIES = st.lists(
    st.builds(Entity, label=st.sampled_from(["car", "red light", "bike"]), bbox_2d=BOX), min_size=1, max_size=5
)
DISTINCT = ENTITIES.filter(lambda boxes: len(distinct([box.model_dump() for box in boxes])) == len(boxes))
OURS = ("boxes", "boxes_50", "boxes_precision")


def said(boxes, answer="A, C"):
    named = " and ".join(spelled(box.bbox_2d, box.label) for box in boxes)
    return f"<think> I see {named}. </think> <answer> {answer} </answer>"


def score(reward, completion, row, **view):
    return REWARDS[reward].score(completion, row, rule="strict", **view)


@given(true=DISTINCT, rng=st.randoms())
def test_all_true_boxes_earn_the_maximum_in_any_order(true, rng):
    row, shuffled = example("driving", entities=true), rng.sample(true, len(true))
    assert all(score(reward, said(shuffled), row) == pytest.approx(1.0) for reward in OURS)


@given(true=ENTITIES, boxes=ENTITIES, times=st.integers(1, 9), data=st.data())
def test_a_repeated_box_earns_nothing(true, boxes, times, data):
    row, again = example("driving", entities=true), data.draw(st.sampled_from(boxes))
    for reward in OURS:
        assert score(reward, said(boxes + times * [again]), row) == score(reward, said(boxes), row)


def test_a_nearly_repeated_box_is_one_and_does_not_pair_with_a_second_true_one():
    true = [Entity(label="car", bbox_2d=(0, 0, 100, 100)), Entity(label="car", bbox_2d=(40, 0, 140, 100))]
    row, one = example("driving", entities=true), Entity(label="car", bbox_2d=(0, 0, 100, 100))
    moved, other = (one.model_copy(update={"bbox_2d": (x, 0, 100 + x, 100)}) for x in (2, 38))
    assert score("boxes", said([one, moved]), row) == score("boxes", said([one]), row) == pytest.approx(2 / 3)
    assert score("boxes", said([one, other]), row) > 0.9


@given(true=ENTITIES, boxes=ENTITIES)
def test_naming_a_true_box_more_earns_more(true, boxes):
    """Recall: what names the last true box, at its place, earns at least what it earned without."""
    row = example("driving", entities=[*true, Entity(label="tram", bbox_2d=(0, 0, 9, 9))])
    with_it = [*boxes, Entity(label="tram", bbox_2d=(0, 0, 9, 9))]
    assert (
        score("boxes", said(with_it), row) > score("boxes", said(boxes), row) or score("boxes", said(boxes), row) == 1
    )


@given(boxes=ENTITIES, answer=st.permutations(["A", "C", "D"]))
def test_the_letters_order_plays_no_part_and_boxes_do_not_change_the_answer(boxes, answer):
    row = example("driving", "ACD")
    outcome = TASK.outcome(said(boxes, ", ".join(answer)), row, rule="strict")
    assert (outcome.right, outcome.said) == (True, ["A", "C", "D"])


def test_a_second_box_of_one_label_is_kept_here_and_lost_in_the_study():
    row = example("driving")
    one, both = (f"<think> {' '.join(cars)} </think>" for cars in ((CAR,), (CAR, OTHER_CAR)))
    assert score("boxes", one, row) == pytest.approx(2 / 5)
    assert score("boxes", both, row) == pytest.approx(4 / 6)
    assert score("study_boxes", one, row) == 0.0, "the reference is the last car only"
    assert score("study_boxes", both, row) == 1.0


def test_the_study_pays_one_good_box_as_much_as_all():
    row = example("driving")
    one, four = (f"<think> {' '.join(boxes)} </think>" for boxes in ((LIGHT,), (PEDESTRIAN, LIGHT, CAR, OTHER_CAR)))
    assert (
        score("study_boxes", one, row) == score("study_boxes", four, row) == score("boxes_precision", one, row) == 1.0
    )
    assert score("boxes", one, row) == pytest.approx(2 / 5)


def test_boxes_count_in_the_frame_that_the_model_writes_in():
    row = example("driving")
    view = View(frame="thousandths", sizes=((1000, 600),), shown=((504, 308),))
    taught = TASK.target(row, "explained", view)
    assert "[100,333,160,667 pedestrian]" in taught
    assert score("boxes", taught, row, view=view) > 0.99
    assert score("boxes", taught, row) < 0.7, "as pixels they are other boxes"


def test_rows_without_annotation_are_not_scored_and_empty_ones_are():
    row = example("driving")
    unknown = row.model_copy(update={"meta": {**row.meta, "entities": None}})
    assert score("boxes", said([]), unknown) is None
    assert score("boxes", said([]), example("driving", entities=[])) == 1.0


@given(boxes=ENTITIES)
def test_boxes_are_read_as_they_are_spelled_and_moved(boxes):
    text = "So " + ", then ".join(spelled(box.bbox_2d, box.label) for box in boxes) + "."
    assert [(tuple(box["bbox_2d"]), box["label"]) for box in boxes_in(text)] == [(b.bbox_2d, b.label) for b in boxes]
    assert respelled(text, lambda box: box) == text
    doubled = boxes_in(respelled(text, lambda box: [2 * edge for edge in box]))
    assert [box["bbox_2d"] for box in doubled] == [[2 * edge for edge in box.bbox_2d] for box in boxes]
    assert without_boxes(text) == "So " + ", then ".join(box.label for box in boxes) + "."


@given(text=st.text(alphabet="[]0123456789,. -abc<>\n", max_size=200))
def test_no_text_breaks_the_reader(text):
    for box in boxes_in(text):
        left, top, right, bottom = box["bbox_2d"]
        assert left < right
        assert top < bottom
        assert box["label"].strip(" ,")
    assert boxes_in(respelled(text, lambda box: box)) or not boxes_in(text)


@pytest.mark.parametrize("flood", ["[1,2,3,4 a ", "[1, 2, 3", " ", "[1,2,3,4" + 40 * " ", "A ", "[[1,2,3,4 a,", "1,"])
def test_a_flood_is_read_in_linear_time(flood):
    """Of 20,000 repeats; a reader that looks back at each one would not come to an end."""
    row, completion = example("driving"), f"<think> {flood * 20_000} </think> <answer> A </answer>"
    assert {score(reward, completion, row) for reward in OURS} == {0.0}
    assert LETTERS.read(f"<answer> {flood * 20_000} </answer>", "relaxed") is None
