"""A box `[x1, y1, x2, y2]` (left, top, right, bottom), and a list of boxes with their labels.

Coordinates are those of edges: a box is `x2 - x1` wide, and what ends at the picture's right edge has the picture's
width for `x2`. Strict: JSON alone, on one line or several, the box in square brackets or as an object's `bbox_2d`
(`bbox`, `box`), its corners in order. Relaxed: in a code fence or a sentence too, and from any two opposite corners.
A box without an area is none. In which frame its numbers are is the view's business (`vlm_grpo.tasks.view`).
"""

import json
import re
from typing import Any

from vlm_grpo.tasks.answers.base import AnswerKind

Box = list[float]
FARTHEST = 1e9
"""No coordinate lies farther out; what does, infinity included, is no number to count with."""
KEYS = ("bbox_2d", "bbox", "box")
_FENCE = re.compile(r"```(?:json)?\s*(.*?)```", re.DOTALL)
_NUMBER = r"\s*-?\d+(?:\.\d+)?\s*"
_FOUR = re.compile(rf"\[({_NUMBER}(?:,{_NUMBER}){{3}})\]")


def parse(text: str, relaxed: bool) -> Box | None:
    """The one box that `text` states."""
    value = _json(text, relaxed)
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list | dict):
        value = value[0]
    box = as_box(value, relaxed)
    if box is not None or not relaxed:
        return box
    boxes = {tuple(float(number) for number in four.split(",")) for four in _FOUR.findall(text)}
    return as_box(list(boxes.pop()), relaxed) if len(boxes) == 1 else None


def parse_boxes(text: str, relaxed: bool) -> list[dict[str, Any]] | None:
    """Objects `{"bbox_2d": [...], "label": ... or null}` in the text's order; an empty list where it says `[]`.

    None where the text is no list, or one of its boxes is none.
    """
    value = _json(text, relaxed)
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        return None
    if value and all(isinstance(part, int | float) for part in value):
        value = [value]
    boxes = []
    for part in value:
        box = as_box(part, relaxed)
        if box is None:
            return None
        label = part.get("label") if isinstance(part, dict) else None
        boxes.append({"bbox_2d": box, "label": label if isinstance(label, str) else None})
    return boxes


def as_box(value: Any, relaxed: bool = False) -> Box | None:
    """`value`, four numbers or an object that holds them under one of `KEYS`, as a box; None where it is none.

    Relaxed: the four are any two opposite corners.
    """
    if isinstance(value, dict):
        value = next((value[key] for key in KEYS if key in value), None)
    if not isinstance(value, list) or len(value) != 4:
        return None
    if not all(is_coordinate(part) for part in value):
        return None
    left, top, right, bottom = value
    if relaxed:
        (left, right), (top, bottom) = sorted((left, right)), sorted((top, bottom))
    return [left, top, right, bottom] if left < right and top < bottom else None


def is_coordinate(value: Any) -> bool:
    """Whether `value` is a number, neither NaN nor beyond `FARTHEST`."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -FARTHEST <= value <= FARTHEST


def _json(text: str, relaxed: bool) -> Any:
    """The JSON value that `text` is; None where it is none. Relaxed: the last code fence's, where there is one."""
    fences = _FENCE.findall(text) if relaxed else []
    try:
        return json.loads(fences[-1] if fences else text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no number")


BOX = AnswerKind(
    name="box",
    asks="a box [x1, y1, x2, y2] {frame}",
    refused="no box [x1, y1, x2, y2] with x1 < x2 and y1 < y2",
    parse=parse,
    write=json.dumps,
)
BOXES = AnswerKind(
    name="boxes",
    asks='a JSON list of objects with "bbox_2d": [x1, y1, x2, y2] {frame} and "label"',
    refused="no JSON list of boxes",
    parse=parse_boxes,
    write=json.dumps,
)
