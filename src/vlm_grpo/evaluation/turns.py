"""What an environment's turns come to over all rows: how many, of what form, and what the later ones changed.

`right` in outcomes is about the last turn. Beside it stand the mean of the reward `format` over a row's turns and,
where the environment has no tools, so that each turn states an answer, the accuracy of the first: `b` rows were right
at first only, `c` at last only, with the exact McNemar test.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from vlm_grpo.environments.base import Environment
from vlm_grpo.evaluation.generations import Generation
from vlm_grpo.rewards.registry import REWARDS
from vlm_grpo.rows.records import Row
from vlm_grpo.statistics.paired import mcnemar_exact, paired_counts
from vlm_grpo.statistics.shares import accuracy_share
from vlm_grpo.tasks.answers.rules import Rule
from vlm_grpo.tasks.base import Outcome
from vlm_grpo.tasks.registry import task_of
from vlm_grpo.tasks.view import AS_IS, View

FORMAT = REWARDS["format"]


def figures(
    environment: Environment,
    generations: Mapping[str, Generation],
    rows: Sequence[Row],
    judged: Mapping[str, Outcome],
    *,
    rule: Rule,
    views: Mapping[str, View],
    confidence: float,
) -> dict[str, Any]:
    """The figures of all `rows`, whose last turns are `judged`."""
    said = {row.id: generations[row.id].said for row in rows}
    forms = [FORMAT.of_turns(said[row.id], row, rule=rule) or 0.0 for row in rows]
    of_all = {
        "name": environment.name,
        "turns": sum(map(len, said.values())) / len(rows),
        "format": sum(forms) / len(rows),
    }
    if environment.has_tools:
        return of_all
    first = {
        row.id: task_of(row).outcome(said[row.id][0], row, rule=rule, view=views.get(row.id, AS_IS)).right
        for row in rows
    }
    counts = paired_counts(first, {row.id: judged[row.id].right for row in rows})
    return of_all | {
        "first": accuracy_share(sum(first.values()), len(rows), confidence),
        "b": counts.b,
        "c": counts.c,
        "difference": counts.difference,
        "mcnemar_p": mcnemar_exact(counts.b, counts.c),
    }
