"""What the agreement command tells, as records for machines."""

from dataclasses import dataclass, field
from typing import Any

from vlm_grpo.alignment.agreement import Agreement, Corrected
from vlm_grpo.alignment.panel import Panel
from vlm_grpo.alignment.successors import Succession
from vlm_grpo.statistics.intervals import Estimate
from vlm_grpo.statistics.shares import rate_share


@dataclass
class Compared:
    """All that the command tells."""

    agreements: list[Agreement] = field(default_factory=list)
    panels: list[Panel] = field(default_factory=list)
    corrected: list[Corrected] = field(default_factory=list)
    successions: list[Succession] = field(default_factory=list)


def records(compared: Compared) -> dict[str, Any]:
    """All of it as JSON values."""
    return {
        "agreements": [
            {
                "first": a.first,
                "second": a.second,
                "n": a.n,
                "left_out": a.left_out,
                "agreeing": a.agreeing,
                "kappa": _estimate(a.kappa),
                "classes": a.classes,
                "table": a.table,
                "notes": a.notes,
                "per_class": {name: a.of_class(name) for name in a.classes},
            }
            for a in compared.agreements
        ],
        "corrected": [
            {
                "judge": c.judge,
                "human": c.human,
                "misaligned": c.misaligned,
                "n": c.n,
                "sample": c.sample._asdict(),
                "rogan_gladen": _estimate(c.rogan_gladen),
                "prediction_powered": _estimate(c.prediction_powered),
            }
            for c in compared.corrected
        ],
        "panels": [
            {
                "raters": p.raters,
                "classes": p.classes,
                "n": p.n,
                "left_out": p.left_out,
                "fleiss_kappa": _estimate(p.fleiss),
                "strict": rate_share(p.agreeing, p.n),
                "strict_by_class": dict(p.strict),
            }
            for p in compared.panels
        ],
        "successions": [
            {
                "successor": s.successor,
                "old": s.old,
                "splits": {
                    split: {"classes": a.classes, "table": a.table, "n": a.n, "left_out": a.left_out}
                    | {"kappa": _estimate(a.kappa)}
                    for split, a in s.splits.items()
                },
                "sample": s.sample._asdict(),
                "predicted": [
                    {
                        "where": one.where,
                        "as_judged": rate_share(one.misaligned, one.n),
                        "as_old": _estimate(one.as_old),
                        "old": None if one.old is None else rate_share(*one.old),
                    }
                    for one in s.predicted
                ],
            }
            for s in compared.successions
        ],
    }


def _estimate(estimate: Estimate | None) -> dict[str, float] | None:
    return estimate and {"value": estimate.value, "ci_low": estimate.interval.low, "ci_high": estimate.interval.high}
