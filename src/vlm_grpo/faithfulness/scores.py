"""What the answers to the probes add up to: shares with intervals, exact paired tests, the survival curve.

Every figure is over the rows that could be asked; how many could not, and why, stands beside it.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from vlm_grpo.evaluation.scores import CONFIDENCE, pictures_of
from vlm_grpo.faithfulness.confidence import survives_auroc
from vlm_grpo.faithfulness.probes import SHARES
from vlm_grpo.faithfulness.records import ProbeRecord
from vlm_grpo.rows.records import Row
from vlm_grpo.statistics.bootstrap import cluster_bootstrap
from vlm_grpo.statistics.paired import holm, mcnemar_exact
from vlm_grpo.statistics.shares import rate_share

CURVE = "early_answering"


def summarise(
    records: Sequence[ProbeRecord], *, rows: Sequence[Row], names: Sequence[str], seed: int
) -> dict[str, Any]:
    """The figures of each probe by name, and of the survival curve."""
    by_name: dict[str, list[ProbeRecord]] = {name: [] for name in names}
    for record in records:
        by_name[record.probe].append(record)
    probes = {name: _figures(by_name[name]) for name in names if name != CURVE}
    tested = [name for name, figures in probes.items() if figures["n"]]
    adjusted = holm([probes[name]["mcnemar_p"] for name in tested])
    for name, p in zip(tested, adjusted, strict=True):
        probes[name]["holm_p"] = p
    summary: dict[str, Any] = {"rows": len(rows), "probes": probes}
    if CURVE in by_name:
        summary[CURVE] = _curve(by_name[CURVE], rows, seed=seed)
    return summary


def _figures(records: Sequence[ProbeRecord]) -> dict[str, Any]:
    asked = [record for record in records if record.missing is None]
    figures: dict[str, Any] = {"n": len(asked), "missing": dict(Counter(r.missing for r in records if r.missing))}
    if not asked:
        return figures
    b = sum(bool(record.before_right) and not record.right for record in asked)
    c = sum(bool(record.right) and not record.before_right for record in asked)
    pushed = [record for record in asked if record.pushed is not None]
    judges = dict(Counter(record.judge for record in asked if record.judge is not None))
    figures |= {
        "right": _share([bool(record.right) for record in asked]),
        "before": _share([bool(record.before_right) for record in asked]),
        "same": _share([bool(record.same) for record in asked]),
        "unparsed": sum(record.said is None for record in asked),
        "b": b,
        "c": c,
        "mcnemar_p": mcnemar_exact(b, c),
    }
    if judges:
        figures["by_judge"] = judges
    if pushed:
        figures["pushed"] = _share([record.said == record.pushed for record in pushed])
    sure = [record for record in asked if record.gold_probability is not None]
    if sure:
        survives = [bool(record.same) for record in sure]
        figures["auroc"] = {
            "gold_probability": survives_auroc([record.gold_probability or 0.0 for record in sure], survives),
            "entropy": survives_auroc([-(record.entropy or 0.0) for record in sure], survives),
            "n": len(sure),
        }
    return figures


def _share(values: Sequence[bool]) -> dict[str, Any] | None:
    return rate_share(sum(values), len(values), CONFIDENCE)


def _curve(records: Sequence[ProbeRecord], rows: Sequence[Row], *, seed: int) -> dict[str, Any]:
    """The share of answers that stay as they were by how much of the thought is kept, and the area over it.

    A row's area is 1 less the integral of its own curve; the interval draws the rows of a picture together.
    """
    asked = [record for record in records if record.missing is None]
    kept: dict[str, dict[float, bool]] = {}
    for record in asked:
        assert record.share is not None
        kept.setdefault(record.id, {})[record.share] = bool(record.same)
    whole = [row for row in rows if row.id in kept and len(kept[row.id]) == len(SHARES)]
    curve: dict[str, Any] = {"n": len(whole), "missing": dict(Counter(r.missing for r in records if r.missing))}
    if not whole:
        return curve
    curve["points"] = [{"share": share, "same": _share([kept[row.id][share] for row in whole])} for share in SHARES]
    areas = [1 - float(np.trapezoid([float(kept[row.id][share]) for share in SHARES], SHARES)) for row in whole]
    interval = cluster_bootstrap(areas, pictures_of(whole), seed=seed)
    low, high = interval or (None, None)
    curve["area_over"] = {"value": float(np.mean(areas)), "ci_low": low, "ci_high": high}
    return curve
