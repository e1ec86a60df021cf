"""`format`: 1 when the whole completion is one `<think>` block followed by one `<answer>` block, else 0.

Stricter than the study's pattern, which was anchored at the start only: text after `</answer>`, a repeated or nested
block and an empty block earn nothing.
"""

import re

from vlm_grpo.rewards.base import Reward
from vlm_grpo.tasks.answers.truth import Rule

_SHAPE = re.compile(r"\s*<think>(?P<think>.*?)</think>\s*<answer>(?P<answer>.*?)</answer>\s*", re.DOTALL)
_TAG = re.compile(r"</?(?:think|answer)>")


def score(completion: str, solution: str, *, rule: Rule) -> float:
    """1.0 for the asked format, 0.0 otherwise; `solution` and `rule` play no part."""
    match = _SHAPE.fullmatch(completion)
    if match is None:
        return 0.0
    blocks = match["think"], match["answer"]
    return float(all(block.strip() and not _TAG.search(block) for block in blocks))


FORMAT = Reward(
    name="format",
    score=score,
    minimum=0.0,
    maximum=1.0,
    gold=(
        ("<think> It is left of it. </think> <answer> True </answer>", "True"),
        ("<think>\nTwo\nlines.\n</think>\n<answer>False</answer>\n", "True"),
    ),
    hacks=(
        ("<answer> True </answer>", "True"),
        ("<think></think><answer>True</answer>", "True"),
        ("<think> </think> <answer> </answer>", "True"),
        ("<think> a </think> <answer> True </answer> and more", "True"),
        ("so <think> a </think> <answer> True </answer>", "True"),
        ("<think> a </think> <answer> True </answer> <answer> False </answer>", "True"),
        ("<think> a <answer> True </answer> </think> <answer> True </answer>", "True"),
        ("<think> <think> a </think> <answer> True </answer>", "True"),
        ("<answer> True </answer> <think> a </think>", "True"),
        ("<think> a </think> <answer> True", "True"),
        ("", "True"),
    ),
)
