"""`answer_only`: 1 when the whole completion is one `<answer>` block that holds something, else 0.

The format of the arm that may not reason (prompt `no_think`): nothing stands before the block and nothing behind it,
so that a thought outside of tags earns no more than one inside. Where an environment answers the model, it is the mean
over the model's turns.
"""

from vlm_grpo.rewards.base import Reward
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.rules import Rule
from vlm_grpo.tasks.blocks import CLOSE, OPEN, answer_block
from vlm_grpo.tasks.view import AS_IS, View


def score(completion: str, row: Row, *, rule: Rule, view: View = AS_IS) -> float:
    """1.0 for the asked format, 0.0 otherwise; row, rule and view play no part."""
    whole = completion.strip()
    return float(whole.startswith(OPEN) and whole.endswith(CLOSE) and bool(answer_block(whole)))


_ROW = Row(id="example", images=(), problem="Is it?", solution="True", task="vsr")

REWARD = Reward(
    name="answer_only",
    score=score,
    minimum=0.0,
    maximum=1.0,
    each_turn=True,
    gold=(("<answer> True </answer>", _ROW), ("<answer>\nFalse</answer>\n", _ROW)),
    hacks=(
        ("<think> It is left of it. </think> <answer> True </answer>", _ROW),
        ("It is left of it. <answer> True </answer>", _ROW),
        ("<answer> True </answer> since it is left of it", _ROW),
        ("<answer> <think> It is left of it. </think> True </answer>", _ROW),
        ("<answer> True </answer> <answer> True </answer>", _ROW),
        ("<answer> </answer>", _ROW),
        ("<answer> True", _ROW),
        ("True", _ROW),
        ("", _ROW),
    ),
)
