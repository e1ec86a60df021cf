"""The report of a study from its finished evaluations.

    python -m vlm_grpo.results.study --out results/embedded \\
        --arm base=RUNS/base/evaluation --arm sft=RUNS/sft/evaluation --arm grpo=RUNS/grpo/evaluation \\
        --metrics grpo=RUNS/grpo/train/metrics.jsonl --stage "train grpo=RUNS/grpo/train"

Several seeds of an arm are given as `--arm grpo@42=... --arm grpo@7=...`; the first one stands for the arm. OUT gets
summary.json, summary.md, accuracy.png, reward.png (with --metrics), examples.html, drawings.html (where answers can be
drawn) and, last, manifest.json. The tables are printed at the end. The report is made of what it is given, and made
again whenever asked.
"""

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlm_grpo import drawing, escapes
from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.evaluation import generations
from vlm_grpo.evaluation.arms import Arm, open_arm
from vlm_grpo.option_types import whole
from vlm_grpo.paths import user_path
from vlm_grpo.store import atomic, jsonl, manifest
from vlm_grpo.store.provenance import file_hash
from vlm_grpo.study import drawings, examples, figures
from vlm_grpo.study.run_names import arm_of, read_run
from vlm_grpo.study.summary import all_tables, summarise
from vlm_grpo.tables import to_markdown, to_text

KIND = "study"


@exits_cleanly
def main(argv: list[str] | None = None) -> None:
    """Write the report as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--arm", action="append", required=True, metavar="NAME[@SEED]=DIR", help="a finished evaluation"
    )
    parser.add_argument("--metrics", action="append", default=[], metavar="NAME[@SEED]=FILE", help="its metrics.jsonl")
    parser.add_argument("--stage", action="append", default=[], metavar="NAME=DIR", help="a stage whose time is told")
    parser.add_argument("--title", default="The study", help="heading of the report")
    parser.add_argument(
        "--examples", type=whole("--examples"), default=12, metavar="N", help="rows of each kind on the page"
    )
    parser.add_argument("--out", type=user_path, required=True, metavar="DIR", help="folder of the report")
    given = parser.parse_args(argv)
    summary = report(
        given.out,
        runs=_named(given.arm, "--arm"),
        metrics=_named(given.metrics, "--metrics"),
        stages=_named(given.stage, "--stage"),
        title=given.title,
        rows_shown=given.examples,
    )
    print("\n\n".join(to_text(table) for table in all_tables(summary)))
    print(f"\nreport: {given.out / 'summary.md'}, {given.out / 'examples.html'}")


def report(
    out: Path,
    *,
    runs: Mapping[str, Path],
    metrics: Mapping[str, Path],
    stages: Mapping[str, Path],
    title: str,
    rows_shown: int = 12,
) -> dict[str, Any]:
    """Write the report to `out` and return its summary."""
    started = time.monotonic()
    arms = {run: open_arm(folder) for run, folder in runs.items()}
    logged = {run: _metrics(path) for run, path in metrics.items()}
    for run in logged.keys() - arms.keys():
        raise UserError(f"--metrics {run}: no --arm of that name; known: {', '.join(arms)}")
    summary = summarise(arms, stages=stages)
    manifest.claim(out, {"kind": KIND})
    (out / manifest.MANIFEST).unlink(missing_ok=True)
    atomic.write_json(out / "summary.json", summary)
    drawing.save(figures.accuracy(summary), out / "accuracy.png")
    if logged:
        drawing.save(figures.rewards(logged, arms=list(summary["arms"])), out / "reward.png")
    atomic.write_text(out / "examples.html", examples.render(_first_runs(arms), title=title, count=rows_shown))
    is_drawn = drawings.can_draw(arms)
    if is_drawn:
        atomic.write_text(out / drawings.FILE, drawings.render([drawings.sheet_of(arms)], title=title))
    atomic.write_text(out / "summary.md", _markdown(summary, title=title, with_rewards=bool(logged), is_drawn=is_drawn))
    manifest.write(
        out,
        kind=KIND,
        config={
            "title": title,
            "arms": {run: str(folder) for run, folder in runs.items()},
            "metrics": {run: str(path) for run, path in metrics.items()},
            "stages": {name: str(folder) for name, folder in stages.items()},
        },
        inputs={run: file_hash(arm.folder / generations.FILE) for run, arm in arms.items()},
        counts={"rows": next(iter(summary["arms"].values()))["n"], "runs": len(arms)},
        seconds=time.monotonic() - started,
    )
    return summary


def _named(pairs: list[str], flag: str) -> dict[str, Path]:
    """`NAME=PATH` words as a dictionary in the order given."""
    by_name: dict[str, Path] = {}
    for pair in pairs:
        name, equals, path = pair.partition("=")
        if not (name and equals and path):
            raise UserError(f"{flag} {pair}: expected NAME=PATH")
        if flag != "--stage":
            name = read_run(name, where=flag)
        if name in by_name:
            raise UserError(f"{flag} {name} is given twice; name several seeds NAME@SEED")
        by_name[name] = user_path(path)
    return by_name


def _metrics(path: Path) -> list[dict[str, Any]]:
    steps = []
    for number, step in jsonl.read_input(path):
        steps.append(step)
        rewards = [value for name, value in step.items() if name.startswith("reward")]
        if rewards and not all(isinstance(value, int | float) for value in (step.get("step"), *rewards)):
            raise UserError(f"{path} line {number}: step and rewards are numbers; give the metrics.jsonl of a GRPO run")
    if not any("reward" in step for step in steps):
        raise UserError(f"{path} has no step with a reward; give the metrics.jsonl of a GRPO run")
    return steps


def _first_runs(arms: Mapping[str, Arm]) -> dict[str, Arm]:
    first: dict[str, Arm] = {}
    for run, arm in arms.items():
        first.setdefault(arm_of(run), arm)
    return first


def _markdown(summary: Mapping[str, Any], *, title: str, with_rewards: bool, is_drawn: bool) -> str:
    curve = "\n\n![Mean reward by training step](reward.png)" if with_rewards else ""
    drawn = f" Drawn on the pictures: [{drawings.FILE}]({drawings.FILE})." if is_drawn else ""
    tables = "\n\n".join(to_markdown(table) for table in all_tables(summary))
    return (
        f"# {escapes.markdown(title)}\n\n{tables}\n\n![Accuracy of each run with its interval](accuracy.png){curve}\n\n"
        f"What the arms said: [examples.html](examples.html).{drawn}\n"
    )
