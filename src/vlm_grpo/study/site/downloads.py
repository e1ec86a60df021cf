"""The study's figures and tables as files to take away: PDF, PNG, CSV and LaTeX."""

import csv
import io
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from vlm_grpo import escapes
from vlm_grpo.store import atomic
from vlm_grpo.study import figures
from vlm_grpo.study.site import drawn
from vlm_grpo.study.site.curves import curves
from vlm_grpo.study.site.overview import slices, verdicts_table
from vlm_grpo.study.site.source import Source
from vlm_grpo.study.summary import pairs_table, runs_table, spread_table
from vlm_grpo.tables import Table, to_latex

FOLDER = "figures"
UNDATED = {"pdf": {"CreationDate": None}, "png": {"Software": None}}


def write(source: Source, site: Path) -> list[tuple[str, list[str]]]:
    """Write them below `site`; for each its title and the files' addresses, relative to `site`."""
    (site / FOLDER).mkdir(parents=True, exist_ok=True)
    rewarded = {run: t.steps for run, t in source.trainings.items() if any("reward" in step for step in t.steps)}
    runs, pairs, seeds = runs_table(source.summary), pairs_table(source.summary), spread_table(source.summary)
    accuracy = _drawn(site, "accuracy", figures.accuracy(source.summary))
    made = [("Accuracy of each run", accuracy + _tabled(site, runs, "accuracy"))]
    charts = curves(source.trainings)["charts"]
    if rewarded:
        reward = _drawn(site, "reward", figures.rewards(rewarded, arms=source.coloured))
        made.append(("Reward by step", reward + _logged(site, charts[:1], "reward")))
    sliced = slices(source)
    if sliced:
        by_slice = _drawn(site, "slices", drawn.slices(sliced, arms=source.coloured))
        made.append(("Right answers by slice", by_slice + _tabled(site, _slices_table(sliced), "slices")))
    made.append((pairs.title, _tabled(site, pairs, "pairs")))
    if seeds.rows:
        made.append((seeds.title, _tabled(site, seeds, "seeds")))
    if source.verdicts:
        judged = verdicts_table(source)
        made.append((judged.title, _tabled(site, judged, "verdicts")))
    if charts:
        training = _drawn(site, "training", drawn.training(charts, arms=source.coloured))
        made.append(("Everything that was logged while training", training + _logged(site, charts, "training")))
    return made


def _slices_table(sliced: list[dict[str, Any]]) -> Table:
    return Table(
        title="Right answers by slice",
        header=("slice", "value", "run", "n", "right", "share", "95 % interval"),
        rows=tuple(
            (
                *(one["title"], value, share["run"], str(share["n"]), str(share["right"]), f"{share['share']:.3f}"),
                f"{share['low']:.3f} to {share['high']:.3f}",
            )
            for one in sliced
            for value, shares in one["lines"]
            for share in shares
        ),
        notes=("Wilson intervals",),
    )


def _drawn(site: Path, name: str, figure: Figure) -> list[str]:
    files = []
    for suffix, undated in UNDATED.items():
        files.append(f"{FOLDER}/{name}.{suffix}")
        figure.savefig(site / files[-1], dpi=160, metadata=undated)
    return files


def _tabled(site: Path, table: Table, name: str) -> list[str]:
    _write_csv(site / FOLDER / f"{name}.csv", [table.header, *table.rows])
    atomic.write_text(site / FOLDER / f"{name}.tex", to_latex(table) + "\n")
    return [f"{FOLDER}/{name}.csv", f"{FOLDER}/{name}.tex"]


def _logged(site: Path, charts: list[dict[str, Any]], name: str) -> list[str]:
    """Every point of the charts, one a line, and a table of where each series begins, ends and reaches."""
    points = [
        (series["run"], chart["title"], str(at), repr(value))
        for chart in charts
        for series in chart["series"]
        for at, value in zip(series["x"], series["y"], strict=True)
    ]
    _write_csv(site / FOLDER / f"{name}.csv", [("run", "chart", "step", "value"), *points])
    table = Table(
        title="Logged while training",
        header=("chart", "unit", "run", "n", "first", "last", "lowest", "highest"),
        rows=tuple(
            (chart["title"], chart["unit"], series["run"], str(len(series["y"])), *_ends(series["y"]))
            for chart in charts
            for series in chart["series"]
        ),
    )
    atomic.write_text(site / FOLDER / f"{name}.tex", to_latex(table) + "\n")
    return [f"{FOLDER}/{name}.csv", f"{FOLDER}/{name}.tex"]


def _ends(values: list[float]) -> list[str]:
    return [f"{value:.4g}" for value in (values[0], values[-1], min(values), max(values))]


def _write_csv(path: Path, lines: list[tuple[str, ...]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([escapes.csv_cell(cell) for cell in line] for line in lines)
    atomic.write_text(path, text.getvalue())
