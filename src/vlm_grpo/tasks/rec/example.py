"""A referring expression as a source states it, and the row it becomes once its picture is known.

Sources state boxes in different ways; each of them says `[x1, y1, x2, y2]` by its edges before it comes here, in pixels
or, as those made for models of thousandths, in these. A row's box lies in the picture, in its pixels.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from vlm_grpo.adapters.base import Size
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.box import Box, as_box, is_coordinate
from vlm_grpo.tasks.rec.answer import NO_TARGET
from vlm_grpo.tasks.rec.boxes import clipped
from vlm_grpo.tasks.rec.task import NAME, OFFERS_NONE
from vlm_grpo.tasks.view import View

LEAST_SIDE = 1.0
"""Pixels; a box with a shorter side is an accident of annotation."""
Coordinates = Literal["pixels", "thousandths"]


class Unusable(Exception):
    """A record of a source that cannot be asked; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """An expression and the box it refers to.

    Attributes:
        split, id: where it belongs, and what it is called there.
        picture: the file.
        place: its name in the data set.
        expression: the words.
        problem: the question that asks about them.
        box: by its edges in `coordinates`; None where there is no target.
        size: (width, height) of the picture as the source states it, None where it does not.
        columns: what else the row should hold, of `COLUMNS`.
    """

    split: str
    id: str
    picture: Path
    place: str
    expression: str
    problem: str
    box: Box | None
    coordinates: Coordinates = "pixels"
    size: Size | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)


COLUMNS = ("set", "category", "kind", "hops", "distractors")
"""Of every row beside what it asks: the data set's name, the object's category, and what makes the expression hard."""


def as_row(example: Example, size: Size, *, offers_none: bool) -> tuple[Row, bool]:
    """The row of `example`, whose picture is (width, height) `size`, and whether its box had to be clipped to it.

    `Unusable` where the box does not lie in the picture, or where the picture is another than the source knew.
    """
    if example.size is not None and example.size != size:
        (width, height), (wide, high) = size, example.size
        raise Unusable(f"picture {example.picture} is {width} x {height} pixels, and its boxes are for {wide} x {high}")
    solution, is_clipped = (NO_TARGET, False) if example.box is None else _solution(example, size)
    row = Row(
        id=example.id,
        images=(example.place,),
        problem=example.problem,
        solution=solution,
        task=NAME,
        meta={
            "expression": example.expression,
            **{name: example.columns.get(name) for name in COLUMNS},
            "width": size[0],
            "height": size[1],
            OFFERS_NONE: offers_none,
        },
    )
    return row, is_clipped


def _solution(example: Example, size: Size) -> tuple[str, bool]:
    assert example.box is not None
    box = View(frame=example.coordinates, sizes=(size,), shown=(size,)).to_pixels(example.box)
    inside = clipped(box, size)
    left, top, right, bottom = inside
    if right - left < LEAST_SIDE or bottom - top < LEAST_SIDE:
        raise Unusable(f"of its box {_short(box)} less than a pixel lies in the {size[0]} x {size[1]} picture")
    return json.dumps([_plain(edge) for edge in inside]), inside != box


def box_of(value: Any, *, inclusive: bool = False) -> Box:
    """`value` of a record as a box; `Unusable` where it is none. `inclusive` corners have 1 added to the second."""
    box = as_box(value)
    if box is None:
        raise Unusable(f"{value!r} is no box [x1, y1, x2, y2] with x1 < x2 and y1 < y2")
    return [box[0], box[1], box[2] + 1, box[3] + 1] if inclusive else box


def box_of_sides(value: Any) -> Box:
    """COCO's `[x, y, width, height]` by its edges; `Unusable` where it is none."""
    if isinstance(value, list) and len(value) == 4 and all(map(is_coordinate, value)):
        x, y, width, height = value
        if width > 0 and height > 0:
            return [x, y, x + width, y + height]
    raise Unusable(f"{value!r} is no box [x, y, width, height] of positive sides")


def _plain(edge: float) -> float:
    """At most four decimals, and none where they are 0."""
    rounded = round(edge, 4)
    return int(rounded) if rounded == int(rounded) else rounded


def _short(box: Box) -> str:
    return json.dumps([_plain(edge) for edge in box])
