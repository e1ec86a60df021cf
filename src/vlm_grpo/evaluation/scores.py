"""What an arm's outcomes add up to: a pure function of generations, rows and outcomes, written as `scores.json`.

All shares are fractions. A completion without a readable answer is not right, so accuracy is right answers over all
rows; how many such completions there are is told beside it (`parse_rate`), how many were cut off (`clip_rate`) and how
many reason (`reasoning_rate`: a `<think>` block that is not empty). Where a task gives partial credit, its mean stands
beside the accuracy, with a bootstrap interval over pictures. Where rows come in pairs, `pairs` is the share of those
with both right. A task adds figures of its own.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from vlm_grpo.evaluation.generations import Generation
from vlm_grpo.rows.records import Row
from vlm_grpo.statistics.bootstrap import cluster_bootstrap
from vlm_grpo.statistics.shares import accuracy_share
from vlm_grpo.tasks.base import Outcome
from vlm_grpo.tasks.blocks import reasons
from vlm_grpo.tasks.registry import task_named

CONFIDENCE = 0.95
NO_VALUE = "(none)"
MIXED = "mixed"
"""Stands for the task where rows are of several."""
BOOTSTRAP_SEED = 0
PAIRS = "pairs"
"""Key of the share of pairs with both right."""


def score(
    generations: Mapping[str, Generation], rows: Sequence[Row], outcomes: Mapping[str, Outcome]
) -> dict[str, Any]:
    """All scores of one arm over `rows`, each of which has one generation and one outcome."""
    judged = [outcomes[row.id] for row in rows]
    right = {row.id: outcomes[row.id].right for row in rows}
    parsed = sum(outcome.said is not None for outcome in judged)
    clipped = sum(generations[row.id].finish_reason == "length" for row in rows)
    reasoned = sum(reasons(generations[row.id].text) for row in rows)
    names = sorted({row.task for row in rows})
    return {
        "task": names[0] if len(names) == 1 else MIXED,
        **accuracy_share(sum(right.values()), len(rows), CONFIDENCE),
        "confidence": CONFIDENCE,
        "parsed": parsed,
        "parse_rate": parsed / len(rows),
        **_of_tasks(names, rows, right, judged),
        "clipped": clipped,
        "clip_rate": clipped / len(rows),
        "reasoned": reasoned,
        "reasoning_rate": reasoned / len(rows),
        "mean_completion_tokens": sum(generations[row.id].completion_tokens for row in rows) / len(rows),
    }


def _of_tasks(
    names: Sequence[str], rows: Sequence[Row], right: Mapping[str, bool], judged: Sequence[Outcome]
) -> dict[str, Any]:
    """The figures that follow from what the rows' tasks are; of several tasks, the accuracy of each."""
    figures: dict[str, Any] = {}
    if any(task_named(name).is_graded for name in names):
        figures["mean_credit"] = _mean_credit(rows, judged)
    if len(names) > 1:
        return figures | {"tasks": _by_value(right, rows, lambda row: row.task)}
    task = task_named(names[0])
    figures |= task.figures(judged)
    for name, column in task.slices.items():
        figures[name] = _by_value(right, rows, lambda row, column=column: str(row.meta.get(column) or NO_VALUE))
    if task.pair is not None:
        figures |= _of_pairs(right, rows, task.pair)
    return figures


def _of_pairs(right: Mapping[str, bool], rows: Sequence[Row], column: str) -> dict[str, Any]:
    """`pairs`: of the pairs that are whole the share with both right; nothing where none is.

    `unpaired` counts the rows whose other one is not among `rows`.
    """
    pairs: dict[str, list[bool]] = {}
    for row in rows:
        if row.meta.get(column):
            pairs.setdefault(row.meta[column], []).append(right[row.id])
    whole = [all(both) for both in pairs.values() if len(both) > 1]
    unpaired = len(rows) - sum(len(both) for both in pairs.values() if len(both) > 1)
    return {PAIRS: {**accuracy_share(sum(whole), len(whole), CONFIDENCE), "unpaired": unpaired}} if whole else {}


def _mean_credit(rows: Sequence[Row], judged: Sequence[Outcome]) -> dict[str, float | None]:
    """Mean credit with its interval; rows that show the same pictures are drawn together."""
    credits = [outcome.credit for outcome in judged]
    interval = cluster_bootstrap(credits, pictures_of(rows), seed=BOOTSTRAP_SEED, confidence=CONFIDENCE)
    low, high = interval or (None, None)
    return {"value": sum(credits) / len(credits), "ci_low": low, "ci_high": high}


def pictures_of(rows: Sequence[Row]) -> list[str]:
    """What clusters `rows`: the pictures each shows, or the row itself where it shows none."""
    return ["\n".join(row.images) or f"row {row.id}" for row in rows]


def _by_value(right: Mapping[str, bool], rows: Sequence[Row], value: Any) -> dict[str, Any]:
    groups: dict[str, list[bool]] = {}
    for row in rows:
        groups.setdefault(value(row), []).append(right[row.id])
    return {name: accuracy_share(sum(groups[name]), len(groups[name]), CONFIDENCE) for name in sorted(groups)}
