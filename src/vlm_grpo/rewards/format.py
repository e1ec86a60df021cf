"""`format`: 1 when the whole completion is one `<think>` block followed by one `<answer>` block, else 0.

Stricter than the study's pattern, which was anchored at the start only: text after `</answer>`, a repeated or nested
block and an empty block earn nothing. The time it takes is linear in the completion's length. Where an environment
answers the model, it is the mean over the model's turns.
"""

from vlm_grpo.rewards.base import Reward
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.rules import Rule
from vlm_grpo.tasks.blocks import CLOSE, END_THINK, OPEN, THINK
from vlm_grpo.tasks.view import AS_IS, View


def score(completion: str, row: Row, *, rule: Rule, view: View = AS_IS) -> float:
    """1.0 for the asked format, 0.0 otherwise; row, rule and view play no part."""
    if any(completion.count(tag) != 1 for tag in (THINK, END_THINK, OPEN, CLOSE)):
        return 0.0
    before, _, rest = completion.partition(THINK)
    thought, _, rest = rest.partition(END_THINK)
    between, _, rest = rest.partition(OPEN)
    answer, _, after = rest.partition(CLOSE)
    return float(not (before + between + after).strip() and bool(thought.strip()) and bool(answer.strip()))


_ROW = Row(id="example", images=(), problem="Is it?", solution="True", task="vsr")

REWARD = Reward(
    name="format",
    score=score,
    minimum=0.0,
    maximum=1.0,
    each_turn=True,
    gold=(
        ("<think> It is left of it. </think> <answer> True </answer>", _ROW),
        ("<think>\nTwo\nlines.\n</think>\n<answer>False</answer>\n", _ROW),
    ),
    hacks=(
        ("<answer> True </answer>", _ROW),
        ("<think></think><answer>True</answer>", _ROW),
        ("<think> </think> <answer> </answer>", _ROW),
        ("<think> a </think> <answer> True </answer> and more", _ROW),
        ("so <think> a </think> <answer> True </answer>", _ROW),
        ("<think> a </think> so <answer> True </answer>", _ROW),
        ("<think> a </think> <answer> True </answer> <answer> False </answer>", _ROW),
        ("<think> a <answer> True </answer> </think> <answer> True </answer>", _ROW),
        ("<think> a <answer> True </answer> </think>", _ROW),
        ("<think> <think> a </think> <answer> True </answer>", _ROW),
        ("<answer> True </answer> <think> a </think>", _ROW),
        ("<think> a </think> <answer> True", _ROW),
        ("", _ROW),
    ),
)
