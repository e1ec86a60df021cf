"""A study's evaluations side by side: what each run is worth on the first one's rows, and on the others'.

    python -m vlm_grpo.study.across --out results/x/across --report flat=results/x --report camera=results/x/camera \\
        --published grpo/camera=0.482

Reports are finished ones of `vlm_grpo.results.study`, the first of them that of the training's own domain. Where
another one asks its questions of other pictures (equal ids, problems and solutions), a run's difference between the two
is paired by row, with Newcombe's paired interval and the exact McNemar test; else it is that of two samples, with
Newcombe's interval and no test. How runs compare with each other on one evaluation is in its own report. OUT gets
summary.json, summary.md and, last, manifest.json.
"""

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlm_grpo import escapes
from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.evaluation.arms import Arm, open_arm
from vlm_grpo.option_types import share
from vlm_grpo.paths import user_path
from vlm_grpo.statistics.intervals import newcombe, newcombe_paired
from vlm_grpo.statistics.paired import holm, mcnemar_exact, paired_counts
from vlm_grpo.store import atomic, manifest
from vlm_grpo.study.run_names import arm_of
from vlm_grpo.tables import NOTHING, Table, estimate_cell, to_markdown, to_text

KIND = "across"
Published = Mapping[str, Mapping[str, float]]
"""Evaluation -> arm -> the accuracy that others report of it, a fraction."""


@exits_cleanly
def main(argv: list[str] | None = None) -> None:
    """Write the tables as the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m vlm_grpo.study.across",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--report", action="append", required=True, metavar="EVALUATION=DIR", help="the first is home")
    parser.add_argument("--published", action="append", default=[], metavar="ARM/EVALUATION=SHARE")
    parser.add_argument("--title", default="The study", help="heading of the tables")
    parser.add_argument("--out", type=user_path, required=True, metavar="DIR")
    given = parser.parse_args(argv)
    started = time.monotonic()
    folders = _folders(given.report)
    published = _published(given.published, folders)
    reports = {name: manifest.read(folder, kind="study") for name, folder in folders.items()}
    runs = {
        name: {run: open_arm(Path(folder)) for run, folder in report["config"]["arms"].items()}
        for name, report in reports.items()
    }
    summary = side_by_side(runs, published)
    manifest.claim(given.out, {"kind": KIND})
    manifest.withdraw(given.out)
    tables = all_tables(summary)
    text = "\n\n".join([f"# {escapes.markdown(given.title)}", *map(to_markdown, tables)])
    atomic.write_json(given.out / "summary.json", summary)
    atomic.write_text(given.out / "summary.md", f"{text}\n")
    manifest.write(
        given.out,
        kind=KIND,
        config={"title": given.title, "reports": {name: str(folder) for name, folder in folders.items()}},
        inputs={name: report["inputs"] for name, report in reports.items()},
        counts={"evaluations": len(runs), "runs": len(summary["runs"])},
        seconds=time.monotonic() - started,
    )
    print("\n\n".join(map(to_text, tables)))


def side_by_side(runs: Mapping[str, Mapping[str, Arm]], published: Published) -> dict[str, Any]:
    """All numbers, ready for `summary.json`; `runs` maps each evaluation, the first one home, to its runs."""
    home, *away = runs
    shown = ("n", "correct", "accuracy", "ci_low", "ci_high")
    gaps = [
        {"run": run, "evaluation": name, **gap(runs[home][run], arm)}
        for name in away
        for run, arm in runs[name].items()
        if run in runs[home]
    ]
    tested = [one for one in gaps if one["mcnemar_p"] is not None]
    for one, adjusted in zip(tested, holm([one["mcnemar_p"] for one in tested]), strict=True):
        one["holm_p"] = adjusted
    names = list(dict.fromkeys(run for asked in runs.values() for run in asked))
    return {
        "evaluations": list(runs),
        "runs": {
            run: {name: {key: asked[run].scores[key] for key in shown} for name, asked in runs.items() if run in asked}
            for run in names
        },
        "published": published,
        "gaps": gaps,
    }


def gap(home: Arm, away: Arm) -> dict[str, Any]:
    """What a run loses (below 0) or gains from `home` to `away`, as fractions; paired where both ask the same."""
    if _questions(home) == _questions(away):
        counts = paired_counts(home.right, away.right)
        low, high = newcombe_paired(*counts)
        tested = {"n": counts.n, "b": counts.b, "c": counts.c, "mcnemar_p": mcnemar_exact(counts.b, counts.c)}
        return {"value": counts.difference, "ci_low": low, "ci_high": high, "is_paired": True, **tested}
    one, other = ((arm.scores["correct"], arm.scores["n"]) for arm in (home, away))
    low, high = newcombe(one, other)
    value = other[0] / other[1] - one[0] / one[1]
    return {"value": value, "ci_low": low, "ci_high": high, "is_paired": False, "mcnemar_p": None}


def _questions(arm: Arm) -> dict[str, tuple[str, Any]]:
    return {row.id: (row.problem, row.solution) for row in arm.rows}


def all_tables(summary: Mapping[str, Any]) -> list[Table]:
    """Accuracies with what is published of them, and how far each run falls from the first evaluation to the others."""
    return [_accuracies(summary), *([_gaps(summary)] if summary["gaps"] else [])]


def _accuracies(summary: Mapping[str, Any]) -> Table:
    published = summary["published"]
    header, columns = ["run"], []
    for name in summary["evaluations"]:
        header.append(f"{name} (95 % interval)")
        columns.append([_accuracy(asked.get(name)) for asked in summary["runs"].values()])
        if name in published:
            header.append(f"{name}, published")
            theirs = [published[name].get(arm_of(run)) for run in summary["runs"]]
            columns.append([f"{one:.3f}" if one is not None else NOTHING for one in theirs])
    notes = (
        "Wilson intervals",
        *(("published: as others report it, without interval",) if published else ()),
    )
    rows = tuple(zip(summary["runs"], *columns, strict=True))
    return Table(title="Accuracy on each evaluation", header=tuple(header), rows=rows, notes=notes)


def _accuracy(scores: Mapping[str, Any] | None) -> str:
    return estimate_cell({"value": scores["accuracy"], **scores} if scores is not None else None)


def _gaps(summary: Mapping[str, Any]) -> Table:
    home = summary["evaluations"][0]
    is_paired = [one["is_paired"] for one in summary["gaps"]]
    return Table(
        title=f"Accuracy elsewhere less that on {home}",
        header=(
            *("run", "on", "difference (95 % interval)"),
            *(f"right on {home} only (b)", "only there (c)", "McNemar p", "Holm p"),
        ),
        rows=tuple(
            (
                *(one["run"], one["evaluation"], estimate_cell(one, sign="+")),
                *((str(one["b"]), str(one["c"])) if one["is_paired"] else (NOTHING, NOTHING)),
                *((f"{one[p]:.2g}" for p in ("mcnemar_p", "holm_p")) if one["is_paired"] else (NOTHING, NOTHING)),
            )
            for one in summary["gaps"]
        ),
        notes=(
            *(("the same questions of other pictures: paired by row, exact McNemar test",) if any(is_paired) else ()),
            *(("other rows: two samples, Newcombe's interval, no paired test",) if not all(is_paired) else ()),
        ),
    )


def _folders(words: list[str]) -> dict[str, Path]:
    folders: dict[str, Path] = {}
    for word in words:
        name, equals, folder = word.partition("=")
        if not (name and equals and folder) or name in folders:
            raise UserError(f"--report {word}: write EVALUATION=DIR, each evaluation once")
        folders[name] = user_path(folder)
    return folders


def _published(words: list[str], known: Mapping[str, Path]) -> dict[str, dict[str, float]]:
    published: dict[str, dict[str, float]] = {}
    for word in words:
        name, _, text = word.rpartition("=")
        arm, slash, evaluation = name.rpartition("/")
        if not slash or evaluation not in known:
            raise UserError(f"--published {word}: write ARM/EVALUATION=SHARE; evaluations: {', '.join(known)}")
        published.setdefault(evaluation, {})[arm] = share(f"--published {name}")(text)
    return published


if __name__ == "__main__":
    main()
