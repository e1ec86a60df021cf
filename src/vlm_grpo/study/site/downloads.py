"""The study's figures and tables as files to take away: PDF, PNG, CSV and LaTeX."""

import csv
import io
from pathlib import Path

from matplotlib.figure import Figure

from vlm_grpo import escapes
from vlm_grpo.store import atomic
from vlm_grpo.study import figures
from vlm_grpo.study.site.curves import curves
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
    if rewarded:
        made.append(("Reward by step", _drawn(site, "reward", figures.rewards(rewarded, arms=source.arms))))
    made.append((pairs.title, _tabled(site, pairs, "pairs")))
    if seeds.rows:
        made.append((seeds.title, _tabled(site, seeds, "seeds")))
    if source.trainings:
        made.append(("Everything that was logged while training", [_logged(source, site)]))
    return made


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


def _logged(source: Source, site: Path) -> str:
    """Every chart's points, one a line."""
    points = [
        (series["run"], chart["title"], str(at), repr(value))
        for chart in curves(source.trainings)["charts"]
        for series in chart["series"]
        for at, value in zip(series["x"], series["y"], strict=True)
    ]
    _write_csv(site / FOLDER / "training.csv", [("run", "chart", "step", "value"), *points])
    return f"{FOLDER}/training.csv"


def _write_csv(path: Path, lines: list[tuple[str, ...]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([escapes.csv_cell(cell) for cell in line] for line in lines)
    atomic.write_text(path, text.getvalue())
