"""Figures that only the pages have, drawn again for print: every training curve, and right answers by slice."""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from matplotlib.figure import Figure

from vlm_grpo import escapes
from vlm_grpo.drawing import arm_colour, as_rows, dot
from vlm_grpo.study.figures import SEED_STYLES
from vlm_grpo.study.run_names import arm_of
from vlm_grpo.study.site.charts import running_mean


def training(charts: Sequence[Mapping[str, Any]], *, arms: Sequence[str]) -> Figure:
    """The charts of `curves.curves`, two in a row: values faint, their mean bold, runs in their arm's colour."""
    lines = ceil(len(charts) / 2)
    figure = Figure(figsize=(8.6, 0.4 + 2.2 * lines), layout="constrained")
    grid = figure.subplots(lines, 2, squeeze=False).flatten()
    for axes in grid[len(charts) :]:
        axes.set_axis_off()
    for axes, chart in zip(grid, charts, strict=False):
        runs = [series["run"] for series in chart["series"]]
        for series in chart["series"]:
            colour = arm_colour(series["arm"], arms)
            seed = [run for run in runs if arm_of(run) == series["arm"]].index(series["run"])
            style = SEED_STYLES[seed % len(SEED_STYLES)]
            axes.plot(series["x"], series["y"], color=colour, alpha=0.25, linewidth=1)
            label = escapes.figure(series["run"])
            axes.plot(series["x"], running_mean(series["y"]), color=colour, linestyle=style, linewidth=2, label=label)
        axes.set_title(f"{escapes.figure(chart['title'])} ({escapes.figure(chart['unit'])})", loc="left", fontsize=10)
        if chart["unit"] == "share":
            axes.set_ylim(0, 1.02)
        axes.grid(color="#dddddd", linewidth=0.7)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8)
    figure.supxlabel("step (bold: running mean)", fontsize=9)
    return figure


def slices(made: Sequence[Mapping[str, Any]], *, arms: Sequence[str]) -> Figure:
    """Share right with Wilson's interval by each value of each of `overview.slices`."""
    heights = [0.8 + len(one["lines"]) * (0.18 * len(one["lines"][0][1]) + 0.12) for one in made]
    figure = Figure(figsize=(6.4, sum(heights)), layout="constrained")
    grid = figure.subplots(len(made), 1, squeeze=False, height_ratios=heights).flatten()
    for axes, one in zip(grid, made, strict=True):
        for place, (_, shares) in enumerate(one["lines"]):
            for number, share in enumerate(shares):
                at = place + 0.7 * ((number + 0.5) / len(shares) - 0.5)
                colour = arm_colour(arm_of(share["run"]), arms)
                label = escapes.figure(share["run"]) if place == 0 else None
                dot(axes, share["share"], (share["low"], share["high"]), at, colour=colour, label=label, size=5)
        ticks = [f"{escapes.figure(value)} (n = {shares[0]['n']})" for value, shares in one["lines"]]
        axes.set_yticks(range(len(ticks)), ticks)
        axes.set_ylim(len(ticks) - 0.5, -0.5)
        axes.set_xlim(0, 1)
        axes.set_title(f"Right by {escapes.figure(one['title'])}, 95 % intervals", loc="left", fontsize=11)
        as_rows(axes)
    grid[0].legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure
