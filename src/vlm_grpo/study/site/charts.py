"""The overview's two charts as geometry for inline SVG: accuracy with intervals, and reward by step.

Numbers under the pointer are SVG titles, so they need no script and are read out too.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vlm_grpo.study.run_names import arm_of
from vlm_grpo.study.site.source import Source, Training

WIDE = 100
"""Across, places are percent of the chart's width: it fits a narrow screen, and its letters keep their size."""
LINE, HIGH = 46, 220
"""From one run's line to the next, and the reward chart inside its axes, in pixels."""


@dataclass(frozen=True)
class Dot:
    """A run's accuracy with its interval at height `y`."""

    run: str
    tone: int
    y: int
    x: float
    low: float
    high: float
    value: str
    title: str


@dataclass(frozen=True)
class Curve:
    """A run's reward: the values logged, their running mean, and a point to hover over for each step shown."""

    run: str
    tone: int
    seed: int
    faint: str
    bold: str
    points: list[tuple[float, float, str]]


@dataclass(frozen=True)
class Axes:
    """Ticks as (place, label) along both axes."""

    x: list[tuple[float, str]]
    y: list[tuple[float, str]]


def dots(source: Source, tones: Mapping[str, int]) -> list[Dot]:
    """One a run, in the report's order."""
    made = []
    for place, (run, s) in enumerate(source.summary["runs"].items()):
        made.append(
            Dot(
                run=run,
                tone=tones[arm_of(run)],
                y=32 + place * LINE,
                x=_across(s["accuracy"]),
                low=_across(s["ci_low"]),
                high=_across(s["ci_high"]),
                value=f"{s['accuracy']:.3f}",
                title=f"{run}: {s['correct']} of {s['n']} right, {s['accuracy']:.3f} "
                f"(95 % interval {s['ci_low']:.3f} to {s['ci_high']:.3f})",
            )
        )
    return made


def accuracy_ticks() -> list[tuple[float, str]]:
    """From 0 to 1 in fifths."""
    return [(_across(fifth / 5), f"{fifth / 5:g}") for fifth in range(6)]


def rewards(trainings: Mapping[str, Training], tones: Mapping[str, int]) -> tuple[list[Curve], Axes]:
    """The weighted sum of the rewards by step, for every run that logged one."""
    logged = {
        run: [(s["step"], s["reward"]) for s in training.steps if isinstance(s.get("reward"), int | float)]
        for run, training in trainings.items()
    }
    logged = {run: points for run, points in logged.items() if points}
    steps = [at for points in logged.values() for at, _ in points]
    values = [value for points in logged.values() for _, value in points]
    if not steps:
        return [], Axes([], [])
    ticks_x, ticks_y = ticks(0, max(steps)), ticks(min(0, *values), max(values))

    def place(at: float, value: float) -> tuple[float, float]:
        across = (at - ticks_x[0]) / ((ticks_x[-1] - ticks_x[0]) or 1)
        up = (value - ticks_y[0]) / ((ticks_y[-1] - ticks_y[0]) or 1)
        return round(WIDE * across, 2), round(HIGH * (1 - up), 1)

    curves = []
    for run, points in logged.items():
        smooth = running_mean([value for _, value in points])
        every = max(1, len(points) // 120)
        curves.append(
            Curve(
                run=run,
                tone=tones[arm_of(run)],
                seed=[r for r in logged if arm_of(r) == arm_of(run)].index(run) % 4,
                faint=_line([place(*point) for point in points]),
                bold=_line([place(at, value) for (at, _), value in zip(points, smooth, strict=True)]),
                points=[
                    (*place(at, mean), f"{run}, step {at}: reward {value:.3f} (running mean {mean:.3f})")
                    for (at, value), mean in list(zip(points, smooth, strict=True))[::every]
                ],
            )
        )
    axes = Axes(
        [(place(tick, ticks_y[0])[0], f"{tick:g}") for tick in ticks_x],
        [(place(ticks_x[0], tick)[1], f"{tick:g}") for tick in ticks_y],
    )
    return curves, axes


def running_mean(values: Sequence[float]) -> list[float]:
    """The mean over the last tenth of the run up to each value."""
    window = max(1, len(values) // 10)
    return [sum(values[max(0, i - window + 1) : i + 1]) / min(i + 1, window) for i in range(len(values))]


def ticks(low: float, high: float) -> list[float]:
    """Four to eight round numbers that reach from `low` or below to `high` or above."""
    span = (high - low) or 1.0
    step = 10.0 ** math.floor(math.log10(span))
    step = next(s for s in (step / 5, step / 2, step, step * 2) if span / s <= 7)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [round(n * step, 10) for n in range(first, max(last, first + 1) + 1)]


def _across(accuracy: float) -> float:
    return round(WIDE * accuracy, 1)


def _line(points: Sequence[tuple[float, float]]) -> str:
    return "M" + " L".join(f"{x:g} {y:g}" for x, y in points)


def wide(value: Any) -> str:
    """A number of seconds for reading: `12.3 s`, `4 min`, `2.1 h`."""
    seconds = float(value)
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
