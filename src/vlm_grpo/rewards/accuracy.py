"""`accuracy`: 1 when the completion is right by its row's task, else 0.

The task reads the answer, as in evaluation, so a model is never rewarded for what evaluation would not count. What is
right of every task, and what is not, is proven by the tasks' own gold answers and hacks.
"""

from vlm_grpo.rewards.base import Reward
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.rules import Rule
from vlm_grpo.tasks.registry import task_named, task_of
from vlm_grpo.tasks.view import AS_IS, View


def score(completion: str, row: Row, *, rule: Rule, view: View = AS_IS) -> float | None:
    """1.0 for a right answer under `rule`; 0.0 for a wrong one and for a completion that states none.

    None where only a judge can tell: such rows are `llm`'s."""
    if task_of(row).needs_judge(row):
        return None
    return float(task_of(row).outcome(completion, row, rule=rule, view=view).right)


REWARD = Reward(
    name="accuracy",
    score=score,
    minimum=0.0,
    maximum=1.0,
    gold=task_named("vsr").gold,
    hacks=task_named("vsr").hacks,
)
