"""The study's two figures: accuracy of every run with its interval, and the rewards while GRPO trains.

Drawn into figures of their own (no pyplot, no display); the same numbers give the same bytes.
"""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

from matplotlib.figure import Figure

from vlm_grpo import escapes
from vlm_grpo.drawing import COLOURS, arm_colour, as_rows, dot
from vlm_grpo.study.run_names import arm_of

Metrics = Mapping[str, Sequence[Mapping[str, Any]]]
"""Logged steps by run, as in `metrics.jsonl`."""
SEED_STYLES = ("-", "--", ":", "-.")
"""Of the runs of one arm, which share its colour."""


def accuracy(summary: Mapping[str, Any]) -> Figure:
    """One dot a run with its Wilson interval; the first arm's accuracy as a dashed line."""
    runs = summary["runs"]
    colours = _colours(runs)
    figure = Figure(figsize=(6.4, 1.3 + 0.5 * len(runs)), layout="constrained")
    axes = figure.subplots()
    for place, (run, scores) in enumerate(runs.items()):
        dot(axes, scores["accuracy"], (scores["ci_low"], scores["ci_high"]), place, colour=colours[run], size=8)
        axes.annotate(
            f"{scores['accuracy']:.3f}",
            (scores["accuracy"], place),
            (0, 9),
            textcoords="offset points",
            ha="center",
            fontsize=9,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )
    first, scores = next(iter(runs.items()))
    axes.axvline(scores["accuracy"], color=colours[first], linestyle="--", linewidth=1, zorder=0)
    axes.set_yticks(range(len(runs)), [f"{escapes.figure(run)}\n{r['correct']}/{r['n']}" for run, r in runs.items()])
    axes.set_ylim(len(runs) - 0.4, -0.7)
    axes.set_xlim(0, 1)
    axes.set_xlabel("accuracy, with Wilson's 95 % interval")
    axes.set_title(f"Right answers on {escapes.figure(summary['split'])}", loc="left", fontsize=11)
    as_rows(axes)
    return figure


def rewards(metrics: Metrics, *, arms: Sequence[str]) -> Figure:
    """Mean reward by step: the sum of every run in its arm's colour among `arms`, and the parts for the first run."""
    logged = {run: [m for m in steps if "reward" in m] for run, steps in metrics.items()}
    figure = Figure(figsize=(8.6, 3.4), layout="constrained")
    whole, parts = figure.subplots(1, 2)
    seeds: dict[str, int] = {}
    for run, steps in logged.items():
        place = seeds[arm_of(run)] = seeds.get(arm_of(run), -1) + 1
        style = SEED_STYLES[place % len(SEED_STYLES)]
        _curve(whole, steps, "reward", label=run, colour=arm_colour(arm_of(run), arms), style=style)
    whole.set_title("Reward, the weighted sum", loc="left", fontsize=11)
    first, steps = next(iter(logged.items()))
    keys = [key for key in (steps[0] if steps else {}) if key.startswith("rewards/") and key.endswith("/mean")]
    for key, colour in zip(keys, cycle(COLOURS[2:]), strict=False):
        name = key.removeprefix("rewards/").removesuffix("/mean")
        _curve(parts, steps, key, label=name, colour=colour)
    parts.set_title(f"Its parts ({escapes.figure(first)})", loc="left", fontsize=11)
    for axes in (whole, parts):
        axes.set_xlabel("step (bold: running mean)")
        axes.set_ylim(bottom=0)
        axes.grid(color="#dddddd", linewidth=0.7)
        axes.spines[["top", "right"]].set_visible(False)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False, loc="lower right")
    return figure


def _colours(runs: Mapping[str, Any]) -> dict[str, str]:
    arms = list(dict.fromkeys(arm_of(run) for run in runs))
    return {run: arm_colour(arm_of(run), arms) for run in runs}


def _curve(
    axes: Any, steps: Sequence[Mapping[str, Any]], key: str, *, label: str, colour: str, style: str = "-"
) -> None:
    """The logged values, faint, and their mean over a tenth of the run."""
    at = [m["step"] for m in steps if key in m]
    values = [m[key] for m in steps if key in m]
    window = max(1, len(values) // 10)
    smooth = [sum(values[max(0, i - window + 1) : i + 1]) / min(i + 1, window) for i in range(len(values))]
    axes.plot(at, values, color=colour, alpha=0.25, linewidth=1)
    axes.plot(at, smooth, color=colour, linewidth=2, linestyle=style, label=escapes.figure(label))
