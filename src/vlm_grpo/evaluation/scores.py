"""What an arm's generations are worth: a pure function of generations and rows, written as `scores.json`.

All shares are fractions. A completion without a readable answer is not right, so accuracy is right answers over all
rows; how many such completions there are is told beside it (`parse_rate`), and how many were cut off (`clip_rate`).
Weighted precision, recall and F1 count "unparsed" as a third predicted class, as the study did: weighted recall is the
accuracy.
"""

from collections.abc import Mapping
from typing import Any

from sklearn.metrics import precision_recall_fscore_support

from vlm_grpo.evaluation.generations import Generation
from vlm_grpo.rows.records import Row
from vlm_grpo.statistics.shares import accuracy_share
from vlm_grpo.tasks.answers.truth import Rule, extract_answer, solution_value

CONFIDENCE = 0.95
NO_RELATION = "(none)"


def predictions(generations: Mapping[str, Generation], rows: list[Row], *, rule: Rule) -> dict[str, bool | None]:
    """The answer read from each row's completion under `rule`, by row id; None where it states none, or both."""
    missing = [row.id for row in rows if row.id not in generations]
    if missing or len(generations) != len(rows):
        raise ValueError(f"{len(generations)} generations for {len(rows)} rows; {len(missing)} rows have none")
    return {row.id: extract_answer(generations[row.id].text, rule) for row in rows}


def outcomes(predicted: Mapping[str, bool | None], rows: list[Row]) -> dict[str, bool]:
    """Whether each row was answered right, by row id; an unparsed answer is not."""
    return {row.id: predicted[row.id] is solution_value(row.solution, where=f"row {row.id}") for row in rows}


def score(generations: Mapping[str, Generation], rows: list[Row], *, rule: Rule) -> dict[str, Any]:
    """All scores of one arm over `rows`, each of which must have exactly one generation."""
    predicted = predictions(generations, rows, rule=rule)
    actual = {row.id: solution_value(row.solution, where=f"row {row.id}") for row in rows}
    right = outcomes(predicted, rows)
    parsed = sum(answer is not None for answer in predicted.values())
    clipped = sum(generations[row.id].finish_reason == "length" for row in rows)
    pairs = [(actual[row.id], predicted[row.id]) for row in rows]
    return {
        **accuracy_share(sum(right.values()), len(right), CONFIDENCE),
        "confidence": CONFIDENCE,
        "parsed": parsed,
        "parse_rate": parsed / len(rows),
        **_weighted(pairs),
        "confusion": {
            "true_as_true": pairs.count((True, True)),
            "true_as_false": pairs.count((True, False)),
            "true_unparsed": pairs.count((True, None)),
            "false_as_true": pairs.count((False, True)),
            "false_as_false": pairs.count((False, False)),
            "false_unparsed": pairs.count((False, None)),
        },
        "predicted_true": sum(answer is True for answer in predicted.values()),
        "predicted_false": sum(answer is False for answer in predicted.values()),
        "clipped": clipped,
        "clip_rate": clipped / len(rows),
        "mean_completion_tokens": sum(generations[row.id].completion_tokens for row in rows) / len(rows),
        "relations": _by_relation(right, rows),
    }


def _weighted(pairs: list[tuple[bool, bool | None]]) -> dict[str, float]:
    precision, recall, f1, _ = precision_recall_fscore_support(
        [str(actual) for actual, _ in pairs],
        ["unparsed" if answer is None else str(answer) for _, answer in pairs],
        average="weighted",
        zero_division=0,
    )
    return {"precision": float(precision), "recall": float(recall), "f1": float(f1)}


def _by_relation(right: Mapping[str, bool], rows: list[Row]) -> dict[str, Any]:
    groups: dict[str, list[bool]] = {}
    for row in rows:
        groups.setdefault(str(row.meta.get("relation") or NO_RELATION), []).append(right[row.id])
    return {name: accuracy_share(sum(groups[name]), len(groups[name]), CONFIDENCE) for name in sorted(groups)}
