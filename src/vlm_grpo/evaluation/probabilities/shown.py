"""The probabilities of an arm as tables and as a reliability figure."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from vlm_grpo.drawing import COLOURS, save
from vlm_grpo.tables import Table, estimate_cell

MEANING = (
    "mass: probability of the answer's words at the first token of the answer; confidence: the share of it on the "
    "likeliest",
    "b: right as generated only, c: by arg max only; exact McNemar",
)


def probability_tables(summary: Mapping[str, Any], *, title: str) -> list[Table]:
    """One table of the figures and one of the bins; the first alone where no row has a place for an answer."""
    missing = tuple(f"{count} rows missing: {reason}" for reason, count in summary["missing"].items())
    if not summary["n"]:
        return [Table(title, ("rows", "n"), ((str(summary["rows"]), "0"),), missing)]
    calibration = summary["calibration"]
    chance = calibration["if_calibrated"]
    says = ", ".join(f"{value} {count}" for value, count in summary["arg_max"]["says"].items())
    tokens = ", ".join(f"{token!r} {count}" for token, count in summary["tokens"].items())
    lines = (
        ("rows with an answer's place", f"{summary['n']} of {summary['rows']}"),
        ("mass on the answer's words", estimate_cell(summary["mass"])),
        ("right by arg max", _share(summary["arg_max"])),
        ("right as generated", _share(summary["generated"])),
        ("b, c, p", f"{summary['b']}, {summary['c']}, {summary['mcnemar_p']:.2g}"),
        ("arg max is what was generated", f"{summary['same']['k']} of {summary['same']['n']}"),
        ("arg max says", says),
        ("likeliest tokens there", tokens),
        ("mean confidence", f"{calibration['mean_confidence']:.3f}"),
        (f"ECE, {calibration['bins']} bins", f"{calibration['ece']:.3f}"),
        ("ECE if calibrated: mean, 95 % below, p", f"{chance['mean']:.3f}, {chance['high']:.3f}, {chance['p']:.2g}"),
        ("Brier score", f"{calibration['brier']:.3f}"),
    )
    bins = tuple(
        (
            f"{one['low']:.2f} to {one['high']:.2f}",
            str(one["n"]),
            f"{one['confidence']:.3f}",
            f"{one['accuracy']:.3f} ({one['ci_low']:.3f} to {one['ci_high']:.3f})",
        )
        for one in calibration["reliability"]
    )
    return [
        Table(title, ("", "value"), lines, (*MEANING, *missing)),
        Table("Reliability", ("confidence", "n", "mean confidence", "accuracy (95 % interval)"), bins),
    ]


def draw_reliability(calibration: Mapping[str, Any], path: Path, *, title: str) -> None:
    """Accuracy by confidence with Wilson's intervals against the diagonal, and below it the counts."""
    lines = calibration["reliability"]
    figure = Figure(figsize=(4.6, 5.2), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    confidences, accuracies = ([line[key] for line in lines] for key in ("confidence", "accuracy"))
    reach = [
        [line["accuracy"] - line["ci_low"] for line in lines],
        [line["ci_high"] - line["accuracy"] for line in lines],
    ]
    above.plot((0, 1), (0, 1), color="#999999", linewidth=1, linestyle="--", label="calibrated")
    label = f"ECE {calibration['ece']:.3f}"
    above.errorbar(confidences, accuracies, yerr=reach, fmt="o", color=COLOURS[2], capsize=3, label=label)
    above.set(ylabel="share of right answers", ylim=(-0.03, 1.03))
    above.set_title(title, fontsize=9)
    above.legend(frameon=False, loc="upper left")
    middles = [(line["low"] + line["high"]) / 2 for line in lines]
    bars = below.bar(middles, [line["n"] for line in lines], width=0.9 / calibration["bins"], color=COLOURS[0])
    below.bar_label(bars, fontsize=8)
    below.margins(y=0.25)
    below.set(xlabel="confidence", ylabel="answers", xlim=(0, 1.02))
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    save(figure, path)


def _share(share: Mapping[str, Any]) -> str:
    return (
        f"{share['correct']} of {share['n']}, {share['accuracy']:.3f} ({share['ci_low']:.3f} to {share['ci_high']:.3f})"
    )
