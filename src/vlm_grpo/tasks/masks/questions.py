"""What a row of `masks` asks: the object by its kind, by a box around it, or by an expression.

Where a picture shows several objects of a kind, its name alone asks for none of them: all would have one question and
different answers. So by default (`auto`) such objects are asked for by their box, the others by their kind. A box is
given in thousandths of the picture, which mean the same to every model family, and is said to be.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from vlm_grpo.errors import UserError
from vlm_grpo.store import jsonl
from vlm_grpo.tasks.coco.instances import Instance

Question = Literal["auto", "category", "box", "expression"]
QUESTIONS: tuple[Question, ...] = ("auto", "category", "box", "expression")


def alone(instances: Sequence[Instance]) -> set[int]:
    """The ids of the objects that are the only one of their kind in their picture, crowds counted."""
    counts = Counter((entry.picture.id, entry.category) for entry in instances)
    return {entry.id for entry in instances if counts[entry.picture.id, entry.category] == 1}


def problem(
    instance: Instance, question: Question, *, is_alone: bool, expressions: Mapping[int, str]
) -> tuple[str, str] | None:
    """What is asked and by which hint: `category`, `box` or `expression`; None where no expression names the object."""
    if question == "expression":
        return (f"Segment {expressions[instance.id]}.", question) if instance.id in expressions else None
    if question == "category" or (question == "auto" and is_alone):
        return f"Segment the {instance.category}.", "category"
    across, down = instance.picture.width, instance.picture.height
    left, top, right, bottom = (
        round(1000 * side / length) for side, length in zip(instance.box, (across, down, across, down), strict=True)
    )
    return (
        f"Segment the {instance.category} in the box from left {left}, top {top} to right {right}, bottom {bottom} "
        "(thousandths of the picture's width and height).",
        "box",
    )


def read_expressions(path: Path) -> dict[int, str]:
    """Expressions by annotation id, of a JSONL file with `ann_id` and `expression`; the first of several counts."""
    expressions: dict[int, str] = {}
    for number, record in jsonl.read_input(path):
        id, text = record.get("ann_id"), record.get("expression")
        if not isinstance(id, int) or not isinstance(text, str) or not text.strip():
            raise UserError(f"{path} line {number}: expected a number 'ann_id' and a text 'expression'")
        expressions.setdefault(id, text.strip().removesuffix("."))
    return expressions
