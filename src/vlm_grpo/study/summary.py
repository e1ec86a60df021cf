"""The study's numbers: arms, pairs of arms, seeds and their spread, seconds of every stage.

An arm may have several runs, one a seed (`grpo@42`, `grpo@7`). The first run of an arm stands for it in `arms` and
`pairs`; every run is listed in `runs` with its own test against the first arm, `spread` says how far apart the seeds
lie, and `figures_spread` the same of the figures that the task adds. Runs of one arm are never pooled: they answer the
same rows. A pair is called `base-sft` and names both of its arms, since an arm's own name may have a hyphen.
"""

from collections.abc import Mapping
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from vlm_grpo.errors import UserError
from vlm_grpo.evaluation.arms import SHOWN, Arm, compare
from vlm_grpo.evaluation.summary import arms_table, task_columns
from vlm_grpo.pair_names import pair_names
from vlm_grpo.statistics.paired import holm
from vlm_grpo.store import manifest
from vlm_grpo.study.run_names import arm_of
from vlm_grpo.tables import NOTHING, Table, estimate_cell

SHOWN_WHERE_THERE = ("task", "mean_credit", "pairs", "controls", "reasoned", "reasoning_rate")
"""Evaluations of earlier versions have none of these."""


def summarise(runs: Mapping[str, Arm], *, stages: Mapping[str, Path]) -> dict[str, Any]:
    """All numbers of the study, ready for `summary.json`.

    `runs` maps "arm" or "arm@seed" to a finished evaluation, `stages` a stage's name to its folder. `UserError` when
    the runs did not answer the same rows.
    """
    first: dict[str, str] = {}
    for run in runs:
        first.setdefault(arm_of(run), run)
    baseline = next(iter(runs.values()))
    against = {run: compare(baseline, arm) for run, arm in runs.items()}
    pairs = {
        name: {"first": a, "second": b, **compare(runs[first[a]], runs[first[b]])}
        for name, (a, b) in pair_names(first).items()
    }
    for pair, adjusted in zip(pairs.values(), holm([pair["mcnemar_p"] for pair in pairs.values()]), strict=True):
        pair["holm_p"] = adjusted
    return {
        "split": baseline.scores["split"],
        "arms": {arm: _arm(runs[run]) for arm, run in first.items()},
        "pairs": pairs,
        "runs": {
            run: {**_arm(arm), "against_first": {k: against[run][k] for k in ("b", "c", "difference", "mcnemar_p")}}
            for run, arm in runs.items()
        },
        "spread": {arm: _spread([a.scores for run, a in runs.items() if arm_of(run) == arm]) for arm in first},
        "figures_spread": {arm: _figures([a.scores for run, a in runs.items() if arm_of(run) == arm]) for arm in first},
        "seconds": _seconds(runs, stages),
    }


def _arm(arm: Arm) -> dict[str, Any]:
    config = arm.manifest["config"]
    asked = {name: config[name] for name in ("model", "adapter", "prompt", "answers")}
    own = (column.key for column in task_columns([arm.scores]))
    optional = {name: arm.scores[name] for name in (*SHOWN_WHERE_THERE, *own) if name in arm.scores}
    return {name: arm.scores[name] for name in SHOWN} | optional | asked


def _spread(scores: list[dict[str, Any]]) -> dict[str, Any]:
    accuracies = [s["accuracy"] for s in scores]
    return {
        "runs": len(accuracies),
        "mean": mean(accuracies),
        "sd": stdev(accuracies) if len(accuracies) > 1 else None,
        "min": min(accuracies),
        "max": max(accuracies),
    }


def _figures(scores: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Mean and sd of each of the task's columns that all runs of the arm have; none where there is one run."""
    columns = [column.key for column in task_columns(scores)] if len(scores) > 1 else []
    values = {key: [value for s in scores if (value := s.get(key)) is not None] for key in columns}
    return {key: {"mean": mean(of), "sd": stdev(of)} for key, of in values.items() if len(of) == len(scores)}


def _seconds(runs: Mapping[str, Arm], stages: Mapping[str, Path]) -> dict[str, float]:
    """Wall time by stage, from the manifests that the stages wrote."""
    seconds: dict[str, float] = {name: manifest.read(folder)["seconds"] for name, folder in stages.items()}
    for run, arm in runs.items():
        name = f"evaluate {run}"
        if name in seconds:
            raise UserError(f"stage {name!r} is the evaluation of an arm; it is read without being named")
        seconds[name] = arm.manifest["seconds"]
    return seconds


def runs_table(summary: Mapping[str, Any]) -> Table:
    """Accuracy of each run with its interval."""
    return arms_table(summary["runs"], title=f"Accuracy on {summary['split']}", name="run")


def pairs_table(summary: Mapping[str, Any]) -> Table:
    """Every pair of arms: discordant counts, exact McNemar test, how far mean credits differ where there are any."""
    is_graded = any("credit_difference" in pair for pair in summary["pairs"].values())
    return Table(
        title="Pairs of arms on the same rows",
        header=(
            *("pair", "only first right (b)", "only second right (c)", "difference", "McNemar p", "Holm p"),
            *(("mean credit's difference",) if is_graded else ()),
        ),
        rows=tuple(
            (
                name,
                str(pair["b"]),
                str(pair["c"]),
                f"{pair['difference']:+.3f}",
                f"{pair['mcnemar_p']:.2g}",
                f"{pair['holm_p']:.2g}",
                *((estimate_cell(pair.get("credit_difference"), sign="+"),) if is_graded else ()),
            )
            for name, pair in summary["pairs"].items()
        ),
        notes=(
            "exact two-sided test on b and c; Holm adjusts for the number of pairs",
            *(("mean credit: 95 % bootstrap interval over pictures, arms paired",) if is_graded else ()),
        ),
    )


def spread_table(summary: Mapping[str, Any]) -> Table:
    """Mean and spread of the arms that have several seeds."""
    return Table(
        title="Seeds",
        header=("arm", "runs", "mean accuracy", "sd", "lowest", "highest"),
        rows=tuple(
            (arm, str(s["runs"]), f"{s['mean']:.3f}", f"{s['sd']:.3f}", f"{s['min']:.3f}", f"{s['max']:.3f}")
            for arm, s in summary["spread"].items()
            if s["sd"] is not None
        ),
    )


def figures_table(summary: Mapping[str, Any]) -> Table:
    """Mean and standard deviation of the task's own columns, of the arms that have several seeds."""
    columns = task_columns(summary["arms"].values())
    arms = {arm: figures for arm, figures in summary["figures_spread"].items() if figures}
    return Table(
        title="Seeds: mean ± sd",
        header=("arm", "runs", *(column.header for column in columns)),
        rows=tuple(
            (
                arm,
                str(summary["spread"][arm]["runs"]),
                *(_plus_minus(figures.get(column.key)) for column in columns),
            )
            for arm, figures in arms.items()
        ),
    )


def _plus_minus(spread: Mapping[str, float] | None) -> str:
    return NOTHING if spread is None else f"{spread['mean']:.3f} ± {spread['sd']:.3f}"


def seconds_table(summary: Mapping[str, Any]) -> Table:
    """Wall time by stage."""
    rows = [(stage, f"{seconds:.0f}") for stage, seconds in summary["seconds"].items()]
    total = sum(summary["seconds"].values())
    return Table(title="Seconds", header=("stage", "seconds"), rows=(*rows, ("all", f"{total:.0f}")))


def all_tables(summary: Mapping[str, Any]) -> list[Table]:
    """The tables of the report, those without rows left out."""
    made = (
        runs_table(summary),
        pairs_table(summary),
        spread_table(summary),
        figures_table(summary),
        seconds_table(summary),
    )
    return [table for table in made if table.rows]
