"""The task `detection`: list every object of the kinds that are asked for, each with its box and its label.

Boxes are stored in pixels of the picture as it is and said in the model's frame. An answer is right where it pairs
every object with a box of its label at IoU .5 and says no other box; its credit is AP50 (`measures`).
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.box import BOXES, parse_boxes
from vlm_grpo.tasks.base import Column, Outcome, Task, always
from vlm_grpo.tasks.coco.average_precision import average_precision as coco_ap
from vlm_grpo.tasks.detection import measures
from vlm_grpo.tasks.detection.matching import Labelled, iou_table, label_of, pair
from vlm_grpo.tasks.outlines import Outline, of_box
from vlm_grpo.tasks.view import View

NAME = "detection"
NONE = "None"

Boxes = list[dict[str, Any]]


def parse(text: str, relaxed: bool) -> Boxes | None:
    """The boxes that `text` lists, none where it says None (relaxed: in any case, quotes, with a period)."""
    if text == NONE or (relaxed and text.strip("\"'`*. ").casefold() == NONE.casefold()):
        return []
    return parse_boxes(text, relaxed)


def write(boxes: Boxes) -> str:
    """JSON, or None for an empty list."""
    return json.dumps(boxes, ensure_ascii=False) if boxes else NONE


DETECTIONS = replace(
    BOXES,
    name="detections",
    asks='a JSON list such as [{"bbox_2d": [10, 20, 110, 220], "label": "dog"}], its boxes {frame}, or '
    "None where nothing is to be listed",
    parse=parse,
    write=write,
)


def to_pixels(boxes: Boxes, view: View) -> Boxes:
    """The boxes in pixels of the picture as it is."""
    return [{**box, "bbox_2d": view.to_pixels(box["bbox_2d"])} for box in boxes]


def to_frame(boxes: Boxes, view: View) -> Boxes:
    """The boxes in the model's frame, as it says them: whole numbers, at least 1 wide and high."""
    return [{**box, "bbox_2d": _whole(view.to_frame(box["bbox_2d"]))} for box in boxes]


def _whole(box: Sequence[float]) -> list[int]:
    left, top, right, bottom = map(round, box)
    return [left, top, max(right, left + 1), max(bottom, top + 1)]


def outlines(boxes: Boxes, row: Row) -> tuple[Outline, ...]:
    """Each box with its label."""
    return tuple(of_box(box["bbox_2d"], box["label"] or "") for box in boxes)


def credit(said: Boxes, truth: Boxes, row: Row, view: View) -> float:
    """AP50 of the answer."""
    return measures.average_precision(said, truth, thresholds=measures.AT_50)


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """AP, AP50 and AP75 by pycocotools over all rows, precision and recall of boxes at IoU .5; None where undefined.

    Boxes have no scores and are all sure alike, so AP depends on the rows' order, precision and recall do not. COCO
    leaves labels out that are never true; precision counts them.
    """
    ids = {label: number for number, label in enumerate(_labels(outcomes), start=1)}
    annotations, detections = [], []
    paired = said = true = 0
    for picture, outcome in enumerate(outcomes, start=1):
        boxes = outcome.said or []
        annotations += [_entry(box, picture, ids, area=_area(box), iscrowd=0) for box in outcome.truth]
        detections += [_entry(box, picture, ids, score=1.0) for box in boxes if label_of(box) is not None]
        pairs = pair(iou_table(boxes, outcome.truth))
        paired, said, true = paired + len(pairs.ious), said + pairs.said, true + pairs.true
    # Sizes play no part with boxes.
    values = coco_ap(annotations, detections, kind="bbox", sizes=dict.fromkeys(range(1, len(outcomes) + 1), (1, 1)))
    return {
        **values,
        "precision50": paired / said if said else None,
        "recall50": paired / true if true else None,
    }


def _labels(outcomes: Sequence[Outcome]) -> list[str]:
    labels = {label_of(box) for outcome in outcomes for box in (*outcome.truth, *(outcome.said or ()))}
    return sorted(label for label in labels if label is not None)


def _entry(box: Labelled, picture: int, ids: dict[str, int], **others: Any) -> dict[str, Any]:
    left, top, right, bottom = box["bbox_2d"]
    label = label_of(box)
    assert label is not None
    return {
        "image_id": picture,
        "category_id": ids[label],
        "bbox": [left, top, right - left, bottom - top],
        **others,
    }


def _area(box: Labelled) -> float:
    left, top, right, bottom = box["bbox_2d"]
    return (right - left) * (bottom - top)


def _row(name: str, solution: Any) -> Row:
    return Row(
        id=f"example-{name}",
        images=("images/street.jpg",),
        problem="Find every object of these kinds in the picture: person, dog, kite.",
        solution=solution,
        task=NAME,
        meta={"objects": 0 if solution == NONE else len(solution)},
    )


_PERSON = {"bbox_2d": [10, 20, 60, 140], "label": "person"}
_OTHER = {"bbox_2d": [100, 20, 150, 140], "label": "person"}
_DOG = {"bbox_2d": [60, 90, 120, 140], "label": "dog"}
TWO, PEOPLE, EMPTY = _row("two", [_PERSON, _DOG]), _row("people", [_PERSON, _OTHER]), _row("empty", NONE)
"""Examples, for the rewards too."""


def said(*boxes: Any) -> str:
    """A completion that lists `boxes`."""
    return f"<think> I look. </think> <answer> {json.dumps(list(boxes))} </answer>"


def _moved(box: dict[str, Any], by: float) -> dict[str, Any]:
    return {**box, "bbox_2d": [side + by for side in box["bbox_2d"]]}


TASK = Task(
    name=NAME,
    answer=always(DETECTIONS),
    credit=credit,
    to_pixels=to_pixels,
    to_frame=to_frame,
    outlines=outlines,
    figures=figures,
    columns=(
        *(Column(name, name) for name in ("AP", "AP50", "AP75")),
        Column("precision", "precision50"),
        Column("recall", "recall50"),
    ),
    published=(
        "VLM-R1 (Qwen2.5-VL-3B, COCO filtered): mAP 14.2, P@.5 50.93, R@.5 32.97 as it is; SFT 18.5, 53.15, 39.4; GRPO "
        "21.1, 57.57, 43.73. Its boxes and pictures are others; AP of boxes without scores depends on the rows' order"
    ),
    gold=(
        (said(_PERSON, _DOG), TWO),
        (said(_DOG, _PERSON), TWO),
        (said({**_PERSON, "label": " Person"}, {"label": "DOG", "bbox_2d": _DOG["bbox_2d"]}), TWO),
        (said(_OTHER, _PERSON), PEOPLE),
        ("<answer> None </answer>", EMPTY),
        ("<answer> [] </answer>", EMPTY),
    ),
    hacks=(
        ("<answer> None </answer>", TWO),
        ("<answer> [] </answer>", TWO),
        (said({**_PERSON, "label": "dog"}, {**_DOG, "label": "person"}), TWO),
        (said({"bbox_2d": _PERSON["bbox_2d"]}, {"bbox_2d": _DOG["bbox_2d"]}), TWO),
        (said({"bbox_2d": [0, 0, 640, 480], "label": "person"}, {"bbox_2d": [0, 0, 640, 480], "label": "dog"}), TWO),
        (said(_moved(_PERSON, 40), _moved(_DOG, 40)), TWO),
        (f"{said(_PERSON)} {said(_DOG)}", TWO),
        (json.dumps([_PERSON, _DOG]), TWO),
        ("<answer> a person and a dog </answer>", TWO),
        ('<answer> [{"bbox_2d": [10, 20, 60, NaN], "label": "person"}] </answer>', TWO),
        ('<answer> [{"bbox_2d": [10, 20, 60', TWO),
        (said(_PERSON), EMPTY),
        ("<answer> nothing is there </answer>", EMPTY),
        ("<answer> {} </answer>", EMPTY),
        ("None", EMPTY),
        ("", EMPTY),
    ),
)
