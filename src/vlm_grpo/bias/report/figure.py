"""The figure of a bias report: each arm's accuracy on agreeing and on opposing rows, and the gap between them."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from vlm_grpo import escapes
from vlm_grpo.bias.marks import AGREEING, OPPOSING
from vlm_grpo.drawing import as_rows, dot

COLOURS = {AGREEING: "#0072b2", OPPOSING: "#d55e00"}
GAP_COLOUR = "#333333"
OFFSET = 0.13
"""Distance of either group's dot from the middle of an arm's line, in lines."""


def groups_and_gap(report: Mapping[str, Any]) -> Figure:
    """Two panels over one list of arms, with 95 % intervals: accuracy by group, and the gap around 0."""
    arms = report["arms"]
    figure = Figure(figsize=(8.6, 1.7 + 0.5 * len(arms)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    for place, arm in enumerate(arms.values()):
        for group, shift in ((AGREEING, -OFFSET), (OPPOSING, OFFSET)):
            share = arm["groups"][group]
            if share is not None:
                label = f"{group} rows" if place == 0 else None
                dot(left, share["accuracy"], _ends(share), place + shift, colour=COLOURS[group], label=label)
        if arm["gap"] is not None:
            gap = arm["gap"]
            dot(right, gap["value"], _ends(gap), place, colour=GAP_COLOUR)
            right.annotate(
                f"{gap['value']:+.3f}",
                (gap["value"], place),
                (0, 7),
                textcoords="offset points",
                ha="center",
                fontsize=8.5,
            )
    left.set_yticks(range(len(arms)), map(escapes.figure, arms))
    left.set_ylim(len(arms) - 0.5, -0.6)
    left.set_xlim(0, 1)
    left.axvline(0.5, color="#bbbbbb", linestyle="--", linewidth=1, zorder=0)
    left.set_xlabel("accuracy (dashed: guessing)")
    left.set_title(f"Right answers on {escapes.figure(' and '.join(report['splits']))}", loc="left", fontsize=11)
    right.axvline(0, color="#bbbbbb", linestyle="--", linewidth=1, zorder=0)
    right.set_xlabel("agreeing less opposing")
    right.set_title("The gap (0: no use of the shortcut)", loc="left", fontsize=11)
    right.margins(x=0.12)
    for axes in (left, right):
        as_rows(axes)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def _ends(estimate: Mapping[str, Any]) -> tuple[float, float]:
    return estimate["ci_low"], estimate["ci_high"]
