"""`iou` and its kin: what the box that answers a referring expression is worth.

iou       its IoU with the true box, 0 to 1
iou_50    1 from an IoU of .5, as evaluation counts a box as right, else 0
iou_75    1 from an IoU of .75, else 0

`no target` earns 1 where there is none. None for rows of other tasks.
"""

from functools import partial

from vlm_grpo.rewards.base import Reward
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.rules import Rule
from vlm_grpo.tasks.rec.task import NAME, TASK
from vlm_grpo.tasks.view import AS_IS, View

THRESHOLDS: dict[str, float | None] = {"iou": None, "iou_50": 0.5, "iou_75": 0.75}


def score(completion: str, row: Row, *, rule: Rule, view: View = AS_IS, least: float | None = None) -> float | None:
    """The IoU of the answer under `rule`; with `least`, whether it is at least that."""
    if row.task != NAME:
        return None
    credit = TASK.outcome(completion, row, rule=rule, view=view).credit
    return credit if least is None else float(credit >= least)


REWARDS = tuple(
    Reward(
        name=name,
        score=partial(score, least=least),
        minimum=0.0,
        maximum=1.0,
        gold=TASK.gold,
        hacks=TASK.hacks,
    )
    for name, least in THRESHOLDS.items()
)
