"""Answers that lie in a picture, as shapes to draw over it: boxes and polygons in pixels of the picture as it is.

An answer in the model's own frame needs the view that it was given under; without one, "pixels" is meant.
"""

from collections.abc import Mapping
from typing import Any

from vlm_grpo.tasks.answers.box import as_box, is_coordinate
from vlm_grpo.tasks.view import AS_IS, View

IN_A_PICTURE = ("box", "boxes", "polygon")
"""Kinds of answers that are drawn."""
Shape = dict[str, Any]


def shapes_of(value: Any, kind: str, *, view: View = AS_IS) -> list[Shape]:
    """The shapes of an answer `value` of the kind named `kind`: `{"points": [x, y, ...], "label": text}` each."""
    if value is None or kind not in IN_A_PICTURE:
        return []
    if kind == "polygon":
        return [_shape([number for point in value for number in point], None, view)]
    parts = value if kind == "boxes" else [value]
    return [shape for part in parts if (shape := _box(part, view)) is not None]


def _box(part: Any, view: View) -> Shape | None:
    box = as_box(part)
    if box is None:
        return None
    left, top, right, bottom = box
    label = part.get("label") if isinstance(part, Mapping) else None
    return _shape([left, top, right, top, right, bottom, left, bottom], label, view)


def _shape(numbers: list[float], label: Any, view: View) -> Shape:
    assert all(map(is_coordinate, numbers)), numbers
    points = [round(number, 2) for number in view.to_pixels(numbers)]
    return {"points": points, **({"label": label} if isinstance(label, str) and label else {})}
