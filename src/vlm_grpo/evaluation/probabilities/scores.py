"""What the probabilities of an arm come to: the mass on the answer's words, accuracy by arg max, calibration.

Everything is over the rows whose completion has a place where an answer begins; how many have none, and why, stands
beside it, and the generated accuracy is told on the same rows.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from vlm_grpo.evaluation.arms import Arm
from vlm_grpo.evaluation.probabilities.records import ProbabilityRecord
from vlm_grpo.evaluation.scores import CONFIDENCE, pictures_of
from vlm_grpo.rows.records import Row
from vlm_grpo.statistics.bootstrap import cluster_bootstrap
from vlm_grpo.statistics.calibration import brier, calibration_error, consistency, reliability
from vlm_grpo.statistics.intervals import wilson
from vlm_grpo.statistics.paired import mcnemar_exact, paired_counts
from vlm_grpo.statistics.shares import accuracy_share, rate_share
from vlm_grpo.tasks.registry import task_of

TOKENS_SHOWN = 5


def summarise(written: Mapping[str, ProbabilityRecord], arm: Arm, bins: int, *, seed: int) -> dict[str, Any]:
    """The figures of `arm`, whose rows have one record each."""
    rows = [row for row in arm.rows if written[row.id].missing is None]
    summary: dict[str, Any] = {
        "rows": len(arm.rows),
        "n": len(rows),
        "missing": dict(Counter(record.missing for record in written.values() if record.missing)),
        "answers": arm.manifest["config"]["answers"],
        "confidence": CONFIDENCE,
    }
    if not rows:
        return summary
    asked = [written[row.id] for row in rows]
    right = {record.id: bool(record.right) for record in asked}
    generated = {row.id: arm.outcomes[row.id].right for row in rows}
    counts = paired_counts(generated, right)
    tokens = Counter(record.token for record in asked).most_common(TOKENS_SHOWN)
    return summary | {
        "mass": _mean([record.mass or 0.0 for record in asked], rows, seed=seed),
        "tokens": dict(tokens),
        "arg_max": {
            **accuracy_share(sum(right.values()), len(rows), CONFIDENCE),
            "says": dict(Counter(task_of(row).answer(row).write(written[row.id].said) for row in rows).most_common()),
        },
        "generated": accuracy_share(sum(generated.values()), len(rows), CONFIDENCE),
        "same": rate_share(sum(_is_same(arm, written[row.id], row) for row in rows), len(rows), CONFIDENCE),
        "b": counts.b,
        "c": counts.c,
        "difference": counts.difference,
        "mcnemar_p": mcnemar_exact(counts.b, counts.c),
        "calibration": _calibration(asked, bins, seed=seed),
    }


def _mean(values: Sequence[float], rows: Sequence[Row], *, seed: int) -> dict[str, float | None]:
    low, high = cluster_bootstrap(values, pictures_of(rows), seed=seed, confidence=CONFIDENCE) or (None, None)
    return {"value": sum(values) / len(values), "ci_low": low, "ci_high": high, "least": min(values)}


def _is_same(arm: Arm, record: ProbabilityRecord, row: Row) -> bool:
    """Whether the likeliest value is what was generated."""
    said = arm.outcomes[row.id].said
    return said is not None and task_of(row).answer(row).same(said, record.said)


def _calibration(asked: Sequence[ProbabilityRecord], bins: int, *, seed: int) -> dict[str, Any]:
    confidences = [record.confidence or 0.0 for record in asked]
    right = [bool(record.right) for record in asked]
    made = reliability(confidences, right, bins=bins)
    if_calibrated = consistency(confidences, right, bins=bins, seed=seed)
    lines = []
    for one in made:
        low, high = wilson(one.right, one.n, CONFIDENCE)
        line = {"low": one.low, "high": one.high, "n": one.n, "confidence": one.confidence}
        lines.append({**line, "accuracy": one.accuracy, "ci_low": low, "ci_high": high})
    return {
        "bins": bins,
        "ece": calibration_error(made),
        "if_calibrated": {"mean": if_calibrated.mean, "high": if_calibrated.high, "p": if_calibrated.p},
        "mean_confidence": sum(confidences) / len(confidences),
        "brier": brier(confidences, right),
        "reliability": lines,
    }
