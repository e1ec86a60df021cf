"""Explanations in which DrivingVQA prints a box behind a name, `**white van** [10.0, 20.0, 40.0, 40.0]`, as ours.

Printed boxes are COCO's `[x, y, width, height]` in pixels, in floats. Each becomes `[x1,y1,x2,y2 name]` in place of the
name that stands before it: in asterisks, or the longest of the entities' labels there. Where a box is an entity's, it
gets that entity's label. A box that nothing names, or of which too little lies in the picture, is left out and counted;
its name stays.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from vlm_grpo.adapters.base import Size
from vlm_grpo.tasks.answers.box import Box
from vlm_grpo.tasks.driving.spelling import spelled, without_boxes
from vlm_grpo.tasks.rec.boxes import clipped

LEAST_SIDE = 1.0
"""Pixels; a box with a shorter side is an accident of annotation."""
NEAR = 1.0
"""Pixels by which a printed box may differ from the entity that it is."""
_PRINTED = r"\[\s*-?\d+(?:\.\d+)?(?:\s*,\s*-?\d+(?:\.\d+)?){3}\s*\]"
_RUN = re.compile(rf"{_PRINTED}(?:(?:\s*,)?(?:\s+and)?\s*{_PRINTED})*")
_ONE = re.compile(_PRINTED)
_BOLD = re.compile(r"\*\*([^*\n]+)\*\*")
_BOLD_AT_END = re.compile(r"\*\*([^*\n]+)\*\*\s*\Z")


@dataclass(frozen=True, slots=True)
class Explanation:
    """The text with our boxes, the same with bare names, and what was left out of it with the reasons."""

    with_boxes: str
    without: str
    left_out: list[str] = field(default_factory=list)


def inside(box: Sequence[float], size: Size) -> Box | None:
    """What of `box` lies in the picture; None where that is less than a pixel wide or high."""
    left, top, right, bottom = edges = clipped(box, size)
    return edges if right - left >= LEAST_SIDE and bottom - top >= LEAST_SIDE else None


def converted(text: str, entities: Sequence[tuple[str, Box]], size: Size) -> Explanation:
    """The explanation `text` of a picture of `size`; `entities` are (label, box by its edges) in its pixels."""
    parts: list[str] = []
    left_out: list[str] = []
    end = 0
    for run in _RUN.finditer(text):
        before, name = _name_before(text[end : run.start()], [label for label, _ in entities])
        boxes = []
        for printed in _ONE.findall(run[0]):
            box = _edges(printed)
            label = next((label for label, other in entities if _is_near(box, other)), name)
            shown = inside(box, size)
            if label is None or shown is None:
                left_out.append(f"box {printed} {'has no name' if label is None else 'lies outside of the picture'}")
            else:
                boxes.append(spelled(shown, label))
        parts += [before, " and ".join(boxes) if boxes else (name or "")]
        end = run.end()
    with_boxes = " ".join(_BOLD.sub(r"\1", "".join([*parts, text[end:]])).split())
    return Explanation(with_boxes, without_boxes(with_boxes), left_out)


def _name_before(text: str, labels: Sequence[str]) -> tuple[str, str | None]:
    """`text` without the name that it ends on, and that name; None where it ends on none."""
    if bold := _BOLD_AT_END.search(text):
        return text[: bold.start()], bold[1].strip()
    plain = text.rstrip()
    for label in sorted(set(labels), key=len, reverse=True):
        at = len(plain) - len(label)
        if plain.casefold().endswith(label.casefold()) and not (at and plain[at - 1].isalnum()):
            return plain[:at], label
    return text, None


def _edges(printed: str) -> Box:
    x, y, width, height = (float(number) for number in printed.strip("[] ").split(","))
    return [x, y, x + width, y + height]


def _is_near(one: Box, other: Box) -> bool:
    return all(abs(a - b) <= NEAR for a, b in zip(one, other, strict=True))
