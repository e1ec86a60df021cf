"""Answers that lie in a picture, as shapes to draw over it, in pixels of the picture as it is.

What is drawn of an answer is its task's to say (`outlines`); tasks whose answers lie in no picture say nothing.
"""

from typing import Any

from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.base import Outcome
from vlm_grpo.tasks.registry import task_of

Shape = dict[str, Any]


def are_drawn(row: Row) -> bool:
    """Whether answers to `row` are drawn: then a completion alone, without the frame that it was said in, is none."""
    return task_of(row).outlines is not None


def shapes_of(row: Row, outcome: Outcome | None = None) -> list[Shape]:
    """The shapes of `outcome`, or of the truth, on the first picture of `row`.

    `{"points": [x, y, ...], "label": text}` each.
    """
    return [
        {
            "points": [round(number, 2) for point in outline.points for number in point],
            **({"label": outline.label} if outline.label else {}),
        }
        for outline in task_of(row).drawn(row, outcome)
    ]
