"""What trainings logged, as columns for the charts; which key stands in which chart is `CHARTS`' to say."""

import math
from collections.abc import Mapping
from typing import Any

from vlm_grpo.study.run_names import arm_of
from vlm_grpo.study.site.source import Training

CHARTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Reward, the weighted sum", "reward", ("reward",)),
    ("Distance from the reference", "KL, nats a token", ("kl",)),
    ("Length of completions", "tokens, mean", ("completions/mean_length",)),
    ("Completions cut off", "share", ("completions/clipped_ratio",)),
    ("Completions that still reason", "share", ("probes/reasoned/mean",)),
    ("Groups without variance", "share", ("groups/without_variance", "frac_reward_zero_std")),
    ("Entropy", "nats a token", ("entropy",)),
    ("Loss", "as optimised", ("loss",)),
    ("Token accuracy", "share", ("token_accuracy", "mean_token_accuracy")),
    ("Gradient before clipping", "norm", ("grad_norm",)),
    ("Learning rate", "of the optimiser", ("learning_rate",)),
    ("Seconds a step", "s", ("step_time",)),
)
"""Title, unit and keys: of several keys, a run is drawn by the first that it logged."""
_PARTS = (("rewards/", "Reward: {}", "reward, mean"), ("probes/", "Watched: {}", "share"))
_DRAWN = {"probes/reasoned/mean"}


def curves(trainings: Mapping[str, Training]) -> dict[str, Any]:
    """Charts, each with the runs that logged it: steps and values."""
    charts = [(title, unit, keys) for title, unit, keys in CHARTS[:1]]
    charts += [chart for prefix, title, unit in _PARTS for chart in _parts(trainings, prefix, title, unit)]
    charts += CHARTS[1:]
    drawn = [_chart(trainings, *chart) for chart in charts]
    return {"runs": list(trainings), "charts": [chart for chart in drawn if chart["series"]]}


def _parts(
    trainings: Mapping[str, Training], prefix: str, title: str, unit: str
) -> list[tuple[str, str, tuple[str, ...]]]:
    """A chart for each key `PREFIX…/mean` that any training logged."""
    keys = dict.fromkeys(key for training in trainings.values() for step in training.steps for key in step)
    return [
        (title.format(key.removeprefix(prefix).removesuffix("/mean")), unit, (key,))
        for key in keys
        if key.startswith(prefix) and key.endswith("/mean") and key not in _DRAWN
    ]


def _chart(trainings: Mapping[str, Training], title: str, unit: str, keys: tuple[str, ...]) -> dict[str, Any]:
    series = []
    for run, training in trainings.items():
        key = next((key for key in keys if any(key in step for step in training.steps)), None)
        points = [(s["step"], s[key]) for s in training.steps if key in s and "step" in s] if key else []
        numbers = [(at, value) for at, value in points if isinstance(value, int | float) and math.isfinite(value)]
        if numbers:
            series.append({"run": run, "arm": arm_of(run), "x": [n[0] for n in numbers], "y": [n[1] for n in numbers]})
    return {"title": title, "unit": unit, "series": series}
