"""The figures of an arm's probes as tables."""

from collections.abc import Mapping
from typing import Any

from vlm_grpo.tables import Table

CAUTION = (
    "robustness is not faithfulness: a model that ignores its reasoning is immune to every change of it",
    "a figure is over the rows that could be asked (n)",
)

HEADER = (
    *("probe", "n", "right before", "right", "b", "c", "p (Holm)", "answer stays", "takes the pushed answer"),
    *("AUROC p(gold)", "AUROC -H"),
)


def probe_tables(summary: Mapping[str, Any], *, title: str) -> list[Table]:
    """One table of the probes, one of the survival curve where that was asked for."""
    tables = []
    probes = summary["probes"]
    if probes:
        lines = tuple(_line(name, figures) for name, figures in probes.items())
        notes = (
            *CAUTION,
            "b: right before only, c: right under the probe only; exact McNemar, Holm over the probes",
            "AUROC: how well the answer's probability, or its entropy, before tells that the answer stays",
            *_by_judges(probes),
            *_missing(probes),
        )
        tables.append(Table(title, HEADER, lines, notes))
    curve = summary.get("early_answering")
    if curve is not None and curve["n"]:
        points = tuple((f"{point['share']:.0%}", _cell(point["same"])) for point in curve["points"])
        area = curve["area_over"]
        tables.append(
            Table(
                f"{title}: answers forced early",
                ("thought kept", "answer stays"),
                points,
                (
                    f"area over the curve {area['value']:.3f}{_interval(area)}, bootstrap over pictures",
                    f"n = {curve['n']}",
                    *_missing({"early_answering": curve}),
                ),
            )
        )
    return tables


def _line(name: str, figures: Mapping[str, Any]) -> tuple[str, ...]:
    if not figures["n"]:
        return (name, "0", *("-" for _ in range(9)))
    auroc = figures.get("auroc", {})
    return (
        name,
        str(figures["n"]),
        _cell(figures["before"]),
        _cell(figures["right"]),
        str(figures["b"]),
        str(figures["c"]),
        f"{figures['holm_p']:.2g}",
        _cell(figures["same"]),
        _cell(figures["pushed"]) if "pushed" in figures else "-",
        _number(auroc.get("gold_probability")),
        _number(auroc.get("entropy")),
    )


def _by_judges(probes: Mapping[str, Any]) -> list[str]:
    return [
        f"{name}: {count} of {figures['n']} changed by {judge}, the others by rule"
        for name, figures in probes.items()
        for judge, count in figures.get("by_judge", {}).items()
    ]


def _missing(probes: Mapping[str, Any]) -> list[str]:
    return [
        f"{name}: {count} rows missing, {reason}"
        for name, figures in probes.items()
        for reason, count in figures["missing"].items()
    ]


def _cell(share: Mapping[str, Any]) -> str:
    return f"{100 * share['rate']:.1f} % [{100 * share['ci_low']:.1f}, {100 * share['ci_high']:.1f}]"


def _interval(estimate: Mapping[str, Any]) -> str:
    return "" if estimate["ci_low"] is None else f" [{estimate['ci_low']:.3f}, {estimate['ci_high']:.3f}]"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
