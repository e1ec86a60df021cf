"""How boxes stand in an explanation: `[x1,y1,x2,y2 label]`, whole numbers, in place of the thing's bare name.

A text with such boxes is in some frame; `respelled` brings it into another. A model's own boxes are read from its
closed `<think>` blocks, whatever frame they are in, decimals and spaces allowed; one without an area is none.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from vlm_grpo.tasks.answers.box import as_box
from vlm_grpo.tasks.blocks import thoughts
from vlm_grpo.tasks.rec.answer import whole

Boxes = list[dict[str, Any]]
"""`bbox_2d` [left, top, right, bottom] and `label`, as everywhere in the package."""
Move = Callable[[Sequence[float]], Sequence[float]]
_NUMBER = r"\s*(-?\d+(?:\.\d+)?)"
_BOX = re.compile(rf"\[{_NUMBER}\s*,{_NUMBER}\s*,{_NUMBER}\s*,{_NUMBER}[,\s]([^\[\]<>]*[^\[\]<>\s,])\s*\]")


def spelled(box: Sequence[float], label: str) -> str:
    """One box as it stands in a text.

    >>> spelled([10.2, 20, 50.8, 60], "white van")
    '[10,20,51,60 white van]'
    """
    return f"[{','.join(map(str, whole(list(box))))} {label}]"


def boxes_in(text: str) -> Boxes:
    """The boxes of `text`, in its order, repeats included."""
    boxes = []
    for *edges, label in _BOX.findall(text):
        box = as_box([float(edge) for edge in edges])
        if box is not None:
            boxes.append({"bbox_2d": box, "label": _name(label)})
    return boxes


def spoken(completion: str) -> Boxes:
    """The boxes that the thoughts of `completion` name."""
    return [box for thought in thoughts(completion) for box in boxes_in(thought)]


def respelled(text: str, move: Move) -> str:
    """`text` with each box brought into another frame by `move`."""

    def moved(match: re.Match[str]) -> str:
        *edges, label = match.groups()
        return spelled(move([float(edge) for edge in edges]), _name(label))

    return _BOX.sub(moved, text)


def without_boxes(text: str) -> str:
    """`text` with the bare name in place of each box.

    >>> without_boxes("The [10,20,50,60 white van] turns left.")
    'The white van turns left.'
    """
    return _BOX.sub(lambda match: _name(match[5]), text)


def _name(label: str) -> str:
    return label.lstrip(" ,")
