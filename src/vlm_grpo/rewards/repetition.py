"""`repetition`: 0 for a completion that says nothing twice, down to -1 for one that says the same over and over.

The share of runs of six words (letter case apart) that occur before; of listed boxes, the share that is listed before
with the same label. The worse of the two counts. The signs and keys of JSON are no words: a list of many boxes repeats
itself only where its boxes do, be it cut off or fenced.
"""

import json
import re
from collections.abc import Hashable, Sequence
from typing import Any

from vlm_grpo.rewards.base import Reward
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.box import as_box
from vlm_grpo.tasks.answers.rules import Rule
from vlm_grpo.tasks.blocks import CLOSE, END_THINK, OPEN, THINK
from vlm_grpo.tasks.view import AS_IS, View

RUN = 6
_OBJECT = re.compile(r"\{[^{}]*\}")
_TAG = re.compile("|".join(map(re.escape, (THINK, END_THINK, OPEN, CLOSE, "```json", "```"))))


def repeated(items: Sequence[Hashable]) -> float:
    """The share of `items` behind the first that occur before, 0 to 1; 0 for one item or none."""
    return (len(items) - len(set(items))) / (len(items) - 1) if len(items) > 1 else 0.0


def score(completion: str, row: Row, *, rule: Rule, view: View = AS_IS) -> float | None:
    """Minus the share that is repeated; row, rule and view play no part."""
    boxes = []
    prose = completion
    for written in _OBJECT.findall(completion):
        box = _labelled(written)
        if box is not None:
            boxes.append(box)
            prose = prose.replace(written, " ", 1)
    words = [word for word in _TAG.sub(" ", prose).lower().split() if any(sign.isalnum() for sign in word)]
    runs = [tuple(words[at : at + RUN]) for at in range(len(words) - RUN + 1)]
    return 0.0 - max(repeated(runs), repeated(boxes))


def _labelled(written: str) -> Hashable | None:
    """The box and label of a JSON object, comparable; None where it is no box."""
    try:
        value: Any = json.loads(written)
    except (ValueError, RecursionError):
        return None
    box = as_box(value)
    return None if box is None else (*map(float, box), str(value.get("label")).strip().lower())


_ROW = Row(id="example", images=(), problem="Where are the dogs?", solution="[[1, 2, 3, 4]]", task="jsonl")
_BOX = '{"bbox_2d": [%d, 20, 300, 400], "label": "dog"}'
_BOXES = ", ".join(_BOX % left for left in range(12))

REWARD = Reward(
    name="repetition",
    score=score,
    minimum=-1.0,
    maximum=0.0,
    gold=(
        ("<think> The dog lies left of the bench. </think> <answer> [1, 2, 3, 4] </answer>", _ROW),
        (f"<answer> ```json\n[{_BOXES}]\n``` </answer>", _ROW),
        (f"<answer> [{_BOXES}, {{", _ROW),
        ("dog dog dog", _ROW),
        ("", _ROW),
    ),
    hacks=(
        ("so " * 50, _ROW),
        (f"<answer> [{', '.join([_BOX % 1] * 9)}] </answer>", _ROW),
        (f"<answer> [{', '.join([_BOX % 1] * 9)}, {{", _ROW),
        (f"<answer> [{_BOX % 1}, {(_BOX % 1).replace('dog', 'Dog ')}] </answer>", _ROW),
    ),
)
