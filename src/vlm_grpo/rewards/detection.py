"""`map`, `map50`, `odLength` and `weighted_sum`: VLM-R1's rewards of a list of boxes, mended (`measures` says how).

None for rows of other tasks.
"""

from collections.abc import Callable, Sequence
from functools import partial

from vlm_grpo.rewards.base import Reward
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.rules import Rule
from vlm_grpo.tasks.detection import measures
from vlm_grpo.tasks.detection.matching import Labelled
from vlm_grpo.tasks.detection.task import NAME, TASK
from vlm_grpo.tasks.view import AS_IS, View

Measure = Callable[[Sequence[Labelled], Sequence[Labelled]], float]
MEASURES: dict[str, Measure] = {
    "map": measures.average_precision,
    "map50": partial(measures.average_precision, thresholds=measures.AT_50),
    "odLength": measures.od_length,
    "weighted_sum": measures.weighted,
}


def score(completion: str, row: Row, *, rule: Rule, view: View = AS_IS, measure: Measure) -> float | None:
    """The answer's worth by `measure`, 0 to 1; 0 for an answer that cannot be read under `rule`."""
    if row.task != NAME:
        return None
    outcome = TASK.outcome(completion, row, rule=rule, view=view)
    return 0.0 if outcome.said is None else measure(outcome.said, outcome.truth)


REWARDS = tuple(
    Reward(
        name=name,
        score=partial(score, measure=measure),
        minimum=0.0,
        maximum=1.0,
        gold=TASK.gold,
        hacks=TASK.hacks,
    )
    for name, measure in MEASURES.items()
)
