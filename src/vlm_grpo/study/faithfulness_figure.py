"""Inconsistent reasoning of each run, and what training does to it step by step."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from vlm_grpo import escapes
from vlm_grpo.drawing import arm_colour, as_rows, dot
from vlm_grpo.study.run_names import arm_of

CONSISTENT = "rewards/consistency/mean"
"""The logged reward, where a run logs it: the share of sampled completions whose thought ends on their answer."""
RIGHT = "rewards/accuracy/mean"
LIMIT = 0.05
"""Below it inconsistency is asked to fall; a dashed line."""


def inconsistency(runs: Mapping[str, Any], logged: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """Left a dot a run with Wilson's interval, right what `logged` says by step: a mean over a tenth of the run.

    The runs of one arm share its colour and its name.
    """
    arms = list(dict.fromkeys(map(arm_of, runs)))
    curves = {run: steps for run, steps in logged.items() if any(CONSISTENT in step for step in steps)}
    figure = Figure(figsize=(9.2 if curves else 5.4, 1.6 + max(0.4 * len(runs), 1.6)), layout="constrained")
    dots, *others = figure.subplots(1, 2 if curves else 1, squeeze=False)[0]
    for place, (run, figures) in enumerate(runs.items()):
        share = figures["inconsistent"]
        if share is not None:
            dot(dots, share["rate"], (share["ci_low"], share["ci_high"]), place, colour=arm_colour(arm_of(run), arms))
    as_rows(dots)
    dots.axvline(LIMIT, color="#999999", linestyle="--", linewidth=1, zorder=0)
    dots.set_yticks(range(len(runs)), [escapes.figure(run) for run in runs])
    dots.set(xlim=(0, 1), ylim=(len(runs) - 0.4, -0.6), xlabel="inconsistent, of what could be read, with its interval")
    for axes in others:
        named: set[str] = set()
        for run, steps in curves.items():
            arm = arm_of(run)
            line = {"color": arm_colour(arm, arms)}
            label = escapes.figure(arm) if arm not in named else ""
            axes.plot(*_smooth(steps, CONSISTENT), linewidth=2, label=label and f"{label}: inconsistent", **line)
            axes.plot(*_smooth(steps, RIGHT), linewidth=1, linestyle=":", label=label and f"{label}: wrong", **line)
            named.add(arm)
        axes.set(ylim=(0, 1), xlabel="step", ylabel="share of sampled completions")
        axes.grid(color="#dddddd", linewidth=0.7)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8)
    return figure


def _smooth(steps: Sequence[Mapping[str, Any]], key: str) -> tuple[list[int], list[float]]:
    """Steps, and 1 less the mean of `key` over the last tenth of the run."""
    at = [step["step"] for step in steps if key in step]
    values = [1 - step[key] for step in steps if key in step]
    window = max(1, len(values) // 10)
    return at, [sum(values[max(0, i - window + 1) : i + 1]) / min(i + 1, window) for i in range(len(values))]
