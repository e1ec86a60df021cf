"""What the first page shows: numbers of the study put into the shapes that the template lays out."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from vlm_grpo.drawing import COLOURS
from vlm_grpo.statistics.intervals import wilson
from vlm_grpo.store import manifest
from vlm_grpo.study.run_names import arm_of
from vlm_grpo.study.site import charts
from vlm_grpo.study.site.answers import mark, written
from vlm_grpo.study.site.graph import graph
from vlm_grpo.study.site.notes import notes
from vlm_grpo.study.site.pictures import FOLDER, Shelf
from vlm_grpo.study.site.question import question
from vlm_grpo.study.site.source import Source
from vlm_grpo.study.summary import runs_table, seconds_table, spread_table
from vlm_grpo.tables import Table, estimate_cell
from vlm_grpo.tasks.registry import task_of

FEW = 30
"""Slices of more values are left to the answers page."""


def tones(arms: list[str]) -> dict[str, int]:
    """The number of each arm's colour: that of `vlm_grpo.drawing`, in the report's order."""
    return {arm: place % len(COLOURS) for place, arm in enumerate(arms)}


def overview(source: Source, out: Path, shelf: Shelf) -> dict[str, Any]:
    """The template's variables, for a page in the folder `out` with the pictures of `shelf`."""
    colours = tones(source.coloured)
    curves, axes = charts.rewards(source.trainings, colours)
    return {
        "question": question(source),
        "example": _example(source, shelf),
        "run_of": {arm_of(run): run for run in reversed(source.runs)},
        "graph": graph(source, colours),
        "dots": charts.dots(source, colours),
        "line": charts.LINE,
        "dot_ticks": charts.accuracy_ticks(),
        "curves": curves,
        "axes": axes,
        "runs_table": runs_table(source.summary),
        "pairs": [{"name": name, "credit_difference": None, **pair} for name, pair in source.summary["pairs"].items()],
        "credit_cell": estimate_cell,
        "is_graded": any(pair.get("credit_difference") for pair in source.summary["pairs"].values()),
        "spread_table": spread_table(source.summary),
        "slices": slices(source),
        "verdicts_table": verdicts_table(source),
        "notes": notes(source),
        "seconds_table": seconds_table(source.summary),
        "across": source.across,
        "further": [_further(name, folder, out) for name, folder in source.further.items()],
        "files": [(path.relative_to(source.results).as_posix(), address(path, out)) for path in source.files],
    }


def _example(source: Source, shelf: Shelf) -> dict[str, Any]:
    """The first row asked: what every run was given, and what is right."""
    arm = next(iter(source.runs.values()))
    row = arm.rows[0]
    pictures = shelf.entries(shelf.want(arm.root, row.images[:1]))
    return {
        "id": row.id,
        "problem": row.problem,
        "truth": written(arm.outcomes[row.id].truth, row),
        "pictures": [(f"{FOLDER}/{key}.webp", width, height) for key, (width, height, _) in pictures.items()],
    }


def slices(source: Source) -> list[dict[str, Any]]:
    """By each column that the task slices its rows by: values, and each run's share right with its interval."""
    rows = next(iter(source.runs.values())).rows
    made = []
    for column, title in {c: t for row in rows for t, c in task_of(row).slices.items()}.items():
        values = sorted({str(row.meta[column]) for row in rows if row.meta.get(column) is not None})
        if 1 < len(values) <= FEW:
            lines = [(value, [_share(source, run, column, value) for run in source.runs]) for value in values]
            made.append({"title": title, "column": column, "lines": lines})
    return made


def _share(source: Source, run: str, column: str, value: str) -> dict[str, Any]:
    arm = source.runs[run]
    marks = [mark(arm.outcomes[row.id]) for row in arm.rows if str(row.meta.get(column)) == value]
    right = marks.count("r")
    low, high = wilson(right, len(marks))
    return {"run": run, "n": len(marks), "right": right, "share": right / len(marks), "low": low, "high": high}


def verdicts_table(source: Source) -> Table:
    """What the judge says of each run: misaligned among the answers judged, and kinds of it."""
    rows = []
    for run, said in source.verdicts.items():
        judged = [verdict for verdict in said.values() if verdict.aligns is not None]
        if not judged:
            continue
        bad = [verdict for verdict in judged if not verdict.aligns]
        low, high = wilson(len(bad), len(judged))
        counts: dict[str, int] = {}
        for verdict in bad:
            counts[verdict.type or "misaligned"] = counts.get(verdict.type or "misaligned", 0) + 1
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items(), key=lambda kind: -kind[1]))
        share = f"{len(bad) / len(judged):.3f}"
        rows.append((run, str(len(judged)), str(len(bad)), share, f"{low:.3f} to {high:.3f}", kinds or "–"))
    judges = sorted({verdict.judge for said in source.verdicts.values() for verdict in said.values()})
    return Table(
        title="Does the reasoning lead to the answer?",
        header=("run", "judged", "misaligned", "share", "95 % interval", "kinds"),
        rows=tuple(rows),
        notes=(f"judge: {', '.join(judges)}; verdicts that could not be read are left out",) if rows else (),
    )


def address(path: Path, folder: Path) -> str:
    """Where a page in `folder` finds `path`."""
    return quote(os.path.relpath(path.resolve(), folder.resolve()))


def _further(name: str, folder: Path, out: Path) -> dict[str, Any]:
    summary: Mapping[str, Any] = manifest.read_json(folder / "summary.json")
    return {"name": name, "table": runs_table(summary), "address": address(folder / "index.html", out)}
