"""The tasks `driving` and `aokvqa`: which options are right, and which boxes does the reasoning rely on?

An answer is a set of letters, right where it is the true one: of an exam's item with two questions both have to be
right, which is the exam's score. Boxes that the thoughts name are read beside the answer, brought into the picture's
own pixels once, and told of in the figures; only rewards pay for them (`vlm_grpo.rewards.spoken_boxes`).
"""

from collections.abc import Sequence
from typing import Any

from vlm_grpo.errors import UserError
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.letters import LETTERS
from vlm_grpo.tasks.base import Column, Outcome, Task, always
from vlm_grpo.tasks.blocks import answer_block
from vlm_grpo.tasks.driving.columns import NAME, DrivingRecord, Entity, entities_of, to_row
from vlm_grpo.tasks.driving.measures import distinct, pair_ious
from vlm_grpo.tasks.driving.spelling import Boxes, respelled, spoken
from vlm_grpo.tasks.outlines import Outline, of_box
from vlm_grpo.tasks.view import AS_IS, View

MANNER = "In your reasoning, write each thing that you rely on as [x1,y1,x2,y2 name], its box {frame}."
LEAST_IOU = 0.5
"""From which a box that is said counts as the true one of its label."""


def manner(row: Row) -> str:
    """How boxes are to be written, where the row asks for them."""
    return MANNER if row.meta.get("boxes") == "bbox" else ""


def explained(row: Row, view: View = AS_IS) -> str:
    """The row's explanation, with boxes in the frame of `view` where it asks for them, and its answer."""
    column = "explanation_boxes" if row.meta.get("boxes") == "bbox" else "explanation"
    explanation = row.meta.get(column)
    if not explanation:
        raise UserError(
            f"row {row.id} has no {column} to teach; build the data set with --only-explained, or take target tagged"
        )
    letters = LETTERS.write(LETTERS.solution(row.solution, where=f"row {row.id}"))
    return f"<think> {respelled(explanation, view.to_frame)} </think> <answer> {letters} </answer>"


def boxes_of(completion: str, view: View) -> Boxes:
    """The boxes that the thoughts of `completion` name, in pixels of the picture as it is, repeats included."""
    return [{**box, "bbox_2d": view.to_pixels(box["bbox_2d"])} for box in spoken(completion)]


def evidence(completion: str, row: Row, view: View) -> dict[str, Any]:
    """The `boxes` said; of the `distinct` ones, how many there are and the `ious` of their pairs with the `true` ones.

    `true` is how many boxes are annotated, None where nobody annotated any or the row asks for none.
    """
    boxes = boxes_of(completion, view)
    said, annotated = distinct(boxes), entities_of(row)
    if annotated is None or not manner(row):
        return {"boxes": boxes, "distinct": len(said), "true": None, "ious": []}
    true = distinct(annotated)
    return {"boxes": boxes, "distinct": len(said), "true": len(true), "ious": pair_ious(said, true)}


def annotated(row: Row) -> dict[str, Any]:
    """The true `boxes` of `row`; none where nobody annotated any."""
    return {"boxes": entities_of(row) or ()}


def outlines(evidence: dict[str, Any], row: Row) -> tuple[Outline, ...]:
    """Each box with its label."""
    return tuple(of_box(box["bbox_2d"], box["label"]) for box in evidence["boxes"])


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Micro precision, recall and F1 over letters; of the rows that ask for boxes, what they are worth.

    An answer that cannot be read states no letter. `box_iou`: the mean IoU over distinct boxes said, 0 for one that is
    no true box of its label; `box_precision` and `box_recall`: the shares said and true from an IoU of .5 on. None
    where there is nothing to divide by.
    """
    hits = sum(len({*(outcome.said or ())} & {*outcome.truth}) for outcome in outcomes)
    stated = sum(len(outcome.said or ()) for outcome in outcomes)
    true = sum(len(outcome.truth) for outcome in outcomes)
    boxed = [outcome.evidence for outcome in outcomes if outcome.evidence and outcome.evidence["true"] is not None]
    said, there = sum(e["distinct"] for e in boxed), sum(e["true"] for e in boxed)
    ious = [iou for e in boxed for iou in e["ious"]]
    good = sum(iou >= LEAST_IOU for iou in ious)
    return {
        "letter_precision": _share(hits, stated),
        "letter_recall": _share(hits, true),
        "letter_f1": _share(2 * hits, stated + true),
        "boxed_rows": len(boxed),
        "boxes_said": said,
        "boxes_repeated": sum(len(e["boxes"]) for e in boxed) - said,
        "boxes_true": there,
        "box_iou": _share(sum(ious), said),
        "box_precision": _share(good, said),
        "box_recall": _share(good, there),
    }


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def no_letters(completion: str, row: Row) -> bool:
    """Whether its answer is no letters of options."""
    return answer_block(completion) is not None and LETTERS.read(completion, "relaxed") is None


def repeated(completion: str, row: Row) -> bool:
    """Whether its thoughts name one box twice."""
    named = [(tuple(box["bbox_2d"]), box["label"].casefold()) for box in spoken(completion)]
    return len(set(named)) < len(named)


def example(name: str, right: str = "AC", *, entities: Sequence[Entity] | None = None) -> Row:
    """A row of the task `name`, for examples; its boxes are those of a pedestrian, a red light and two cars."""
    record = DrivingRecord(
        image_path="images/crossing.jpg",
        width=1000,
        height=600,
        questions=("What do you do at this crossing?",),
        letters=("A", "B", "C", "D"),
        options=("I slow down", "I sound the horn", "I let the pedestrian cross", "I overtake"),
        right=tuple(right),
        entities=tuple(THINGS if entities is None else entities),
        explanation="The pedestrian crosses and the red light stops me behind the car, not the car.",
        explanation_boxes=f"The {PEDESTRIAN} crosses and the {LIGHT} stops me behind the {CAR}, not the {OTHER_CAR}.",
    )
    return to_row(record, id="example", task=name)


PEDESTRIAN, LIGHT = "[100,200,160,400 pedestrian]", "[700,50,740,150 red light]"
CAR, OTHER_CAR = "[400,300,600,450 car]", "[800,320,900,400 car]"
THINGS = (
    Entity(label="pedestrian", bbox_2d=(100, 200, 160, 400)),
    Entity(label="red light", bbox_2d=(700, 50, 740, 150)),
    Entity(label="car", bbox_2d=(400, 300, 600, 450)),
    Entity(label="car", bbox_2d=(800, 320, 900, 400)),
)


def of_letters(name: str, *, published: str) -> Task:
    """The task `name`, whose rows have the columns of `vlm_grpo.tasks.driving.columns`."""
    two, one, all_right = example(name), example(name, "B"), example(name, "ABCD")
    return Task(
        name=name,
        answer=always(LETTERS),
        lessons={"explained": explained},
        manner=manner,
        evidence=evidence,
        annotated=annotated,
        outlines=outlines,
        figures=figures,
        columns=(
            Column("precision", "letter_precision"),
            Column("recall", "letter_recall"),
            Column("F1", "letter_f1"),
            Column("box IoU", "box_iou"),
            Column("boxes right", "box_precision"),
            Column("boxes named", "box_recall"),
        ),
        slices={"questions": "questions", "right letters": "right"},
        published=published,
        notes=notes,
        gold=(
            ("<think> a child </think> <answer> A, C </answer>", two),
            ("<think> a child </think> <answer>C,A</answer>", two),
            ("<answer> (a) and (c). </answer>", two),
            ("<answer>B</answer>", one),
            ("<answer> A, B, C, D </answer>", all_right),
        ),
        hacks=(
            ("A, C", two),
            ("<answer> A </answer>", two),
            ("<answer> A, B, C, D </answer>", two),
            ("<answer> A, B, C </answer>", two),
            ("<answer> A, C </answer> <answer> A, B, C, D </answer>", two),
            ("<answer> A, C, or else D </answer>", two),
            ("<answer> A car and C </answer>", two),
            ("<answer> not A, C </answer>", two),
            ("<answer> I slow down </answer>", two),
            ("<answer> </answer>", two),
            ("<answer> A or B </answer>", one),
            ("<answer> A, C", two),
            ("<think> <answer> A, C </answer>", two),
            (f"<think> {CAR} {CAR} {CAR} </think> <answer> B </answer>", two),
            ("", one),
        ),
        probes={"no_letters": no_letters, "repeated_boxes": repeated},
    )


def notes(scores: Any) -> tuple[str, ...]:
    """What the accuracy is, and where F1 comes from."""
    return (
        "accuracy is the exam's score: the whole set of letters, of two questions both; F1, precision and recall are "
        "over letters, micro. Boxes: those in thoughts, by label; right and named from an IoU of .5",
    )


TASK = of_letters(
    NAME,
    published=(
        "published on DrivingVQA, in %: F1, which the report calls accuracy, SFT on A-OKVQA 1 epoch 54.47, 10 epochs "
        "51.91, GRPO with accuracy and format 57.89, with IoU 61.31 (exam 49.37, 47.47, 53.38, 56.96; one run each of "
        "a 7B model); three seeds SFT 51.86 ± .88, GRPO 53.60 ± .93; SFT on DrivingVQA without and with boxes 63.55, "
        "66.09"
    ),
)
