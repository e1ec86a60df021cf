"""`length`: how long a completion is, worth the more for a right answer the shorter it is, for a wrong one the longer.

A cosine from 0 to `LONGEST` words and signs (tags are none): from 1 down to 0.5 where the answer is right, from -0.5 up
to 0 where it is wrong. What is longer is worth as much as `LONGEST`. As VLM-R1 meant it: there every answer counts as
right, and beyond the longest the reward rises again. It counts tokens, which are about 1.3 a word.
"""

import math
import re

from vlm_grpo.rewards.base import Reward
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.rules import Rule
from vlm_grpo.tasks.blocks import CLOSE, END_THINK, OPEN, THINK
from vlm_grpo.tasks.registry import task_of
from vlm_grpo.tasks.view import AS_IS, View

LONGEST = 1024
RIGHT, WRONG = (1.0, 0.5), (-0.5, 0.0)
"""Worth of the shortest and of the longest completion."""
_TAG = re.compile("|".join(map(re.escape, (THINK, END_THINK, OPEN, CLOSE))))
_PIECE = re.compile(r"\w+|[^\w\s]")


def length(completion: str) -> int:
    """Words and signs of the completion, without its tags."""
    return len(_PIECE.findall(_TAG.sub(" ", completion)))


def worth(pieces: int, *, is_right: bool) -> float:
    """The reward of a completion of so many words and signs."""
    shortest, longest = RIGHT if is_right else WRONG
    progress = min(pieces, LONGEST) / LONGEST
    return longest + (shortest - longest) * (1 + math.cos(math.pi * progress)) / 2


def score(completion: str, row: Row, *, rule: Rule, view: View = AS_IS) -> float | None:
    """The worth of the completion, right or wrong by its row's task under `rule`; None where only a judge can tell."""
    if task_of(row).needs_judge(row):
        return None
    is_right = task_of(row).outcome(completion, row, rule=rule, view=view).right
    return worth(length(completion), is_right=is_right)


_ROW = Row(id="example", images=(), problem="Is it?", solution="True", task="vsr")

REWARD = Reward(
    name="length",
    score=score,
    minimum=WRONG[0],
    maximum=worth(1, is_right=True),
    gold=(("<answer> True </answer>", _ROW), ("<think> </think> <answer>True</answer>", _ROW)),
    hacks=(("", _ROW), ("<think> </think> <answer> </answer>", _ROW), ("<answer>", _ROW)),
)
