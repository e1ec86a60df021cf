"""`credit`: the partial credit of the answer by its row's task, 0 to 1 (IoU of a box, for example).

Where a task knows no partial credit, it is `accuracy`.
"""

from vlm_grpo.rewards.base import Reward
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.rules import Rule
from vlm_grpo.tasks.registry import task_named, task_of
from vlm_grpo.tasks.view import AS_IS, View


def score(completion: str, row: Row, *, rule: Rule, view: View = AS_IS) -> float | None:
    """The credit of the answer under `rule`; 0.0 for one that states none; None where only a judge can tell."""
    if task_of(row).needs_judge(row):
        return None
    return task_of(row).outcome(completion, row, rule=rule, view=view).credit


REWARD = Reward(
    name="credit",
    score=score,
    minimum=0.0,
    maximum=1.0,
    gold=task_named("vsr").gold,
    hacks=task_named("vsr").hacks,
)
