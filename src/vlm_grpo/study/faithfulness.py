"""The report on a study's reasoning: how often it contradicts the answer, and whether probes see who uses it.

    python -m vlm_grpo.study.faithfulness --out results/x/faithfulness \\
        --arm start@42=RUNS/start/42/evaluation --arm grpo@42=RUNS/grpo/42/evaluation \\
        --metrics grpo@42=RUNS/grpo/42/train/metrics.jsonl \\
        --probes using@42=RUNS/using/42/probes --probes decorative@42=RUNS/decorative/42/probes \\
        --apart using=decorative

Arms of one seed are compared with each other, never with those of another. OUT gets faithfulness.json, faithfulness.md,
inconsistency.png and, last, manifest.json. Probes are finished folders of `python -m vlm_grpo.faithfulness`; what the
figures can tell is in docs/faithfulness.md.
"""

import argparse
import time
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

from vlm_grpo import drawing, tables
from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.evaluation import generations
from vlm_grpo.evaluation.arms import Arm, compare, open_arm
from vlm_grpo.faithfulness import records
from vlm_grpo.faithfulness.apart import told_apart
from vlm_grpo.faithfulness.endings import Ending, compared, endings, quadrants
from vlm_grpo.faithfulness.records import ProbeRecord
from vlm_grpo.paths import user_path
from vlm_grpo.statistics.intervals import newcombe_paired
from vlm_grpo.statistics.paired import paired_counts
from vlm_grpo.store import atomic, jsonl, manifest
from vlm_grpo.store.provenance import file_hash
from vlm_grpo.study.faithfulness_figure import inconsistency
from vlm_grpo.study.faithfulness_tables import all_tables
from vlm_grpo.study.run_names import arm_of, read_run

KIND = "study_faithfulness"


@exits_cleanly
def main(argv: list[str] | None = None) -> None:
    """Write the report as the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m vlm_grpo.study.faithfulness",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--arm", action="append", required=True, metavar="NAME[@SEED]=DIR", help="an evaluation")
    parser.add_argument("--metrics", action="append", default=[], metavar="NAME[@SEED]=FILE", help="its metrics.jsonl")
    parser.add_argument("--probes", action="append", default=[], metavar="NAME[@SEED]=DIR", help="a run's probes")
    parser.add_argument(
        "--apart", action="append", default=[], metavar="USING=OTHER", help="arms that the probes must tell apart"
    )
    parser.add_argument("--title", default="Reasoning", help="heading of the report")
    parser.add_argument("--out", type=user_path, required=True, metavar="DIR", help="folder of the report")
    given = parser.parse_args(argv)
    summary = report(
        given.out,
        runs=_named(given.arm, "--arm"),
        metrics=_named(given.metrics, "--metrics"),
        probes=_named(given.probes, "--probes"),
        apart=given.apart,
        title=given.title,
    )
    print("\n\n".join(map(tables.to_text, all_tables(summary))))
    print(f"\nreport: {given.out / 'faithfulness.md'}, {given.out / 'inconsistency.png'}")


def report(
    out: Path,
    *,
    runs: Mapping[str, Path],
    metrics: Mapping[str, Path],
    probes: Mapping[str, Path],
    apart: list[str],
    title: str,
) -> dict[str, Any]:
    """Write the report to `out` and return its summary."""
    started = time.monotonic()
    arms = {run: open_arm(folder) for run, folder in runs.items()}
    asked = {run: _asked(folder) for run, folder in probes.items()}
    summary = summarise(arms, asked, apart=[_apart(word, asked) for word in apart])
    summary["probes"] = {run: manifest.read_json(folder / records.SCORES)["probes"] for run, folder in probes.items()}
    manifest.claim(out, {"kind": KIND})
    manifest.withdraw(out)
    atomic.write_json(out / "faithfulness.json", summary)
    logged = {run: [step for _, step in jsonl.read_input(path)] for run, path in metrics.items()}
    drawing.save(inconsistency(summary["runs"], logged), out / "inconsistency.png")
    made = "\n\n".join(map(tables.to_markdown, all_tables(summary)))
    figure = "![Reasoning that contradicts its answer, by run and by training step](inconsistency.png)"
    atomic.write_text(out / "faithfulness.md", f"# {title}\n\n{made}\n\n{figure}\n")
    manifest.write(
        out,
        kind=KIND,
        config={
            "title": title,
            "arms": {run: str(folder) for run, folder in runs.items()},
            "metrics": {run: str(path) for run, path in metrics.items()},
            "probes": {run: str(folder) for run, folder in probes.items()},
            "apart": apart,
        },
        inputs={run: file_hash(arm.folder / generations.FILE) for run, arm in arms.items()},
        counts={"runs": len(arms), "probed": len(asked)},
        seconds=time.monotonic() - started,
    )
    return summary


def summarise(
    arms: Mapping[str, Arm], asked: Mapping[str, Mapping[str, list[ProbeRecord]]], *, apart: list[tuple[str, str]]
) -> dict[str, Any]:
    """`runs` by name, `pairs` of runs of one seed, and what each probe tells `apart`."""
    read = {
        run: endings(arm.rows, {id: said.text for id, said in arm.generations.items()}, arm.outcomes)
        for run, arm in arms.items()
    }
    return {
        "runs": {
            run: {
                **{key: arm.scores[key] for key in ("n", "correct", "accuracy", "ci_low", "ci_high")},
                **quadrants(read[run]),
            }
            for run, arm in arms.items()
        },
        "pairs": [
            {"first": a, "second": b, **_pair(arms[a], arms[b], read[a], read[b])}
            for a, b in combinations(arms, 2)
            if arm_of(a) != arm_of(b) and _seeds_meet(a, b)
        ],
        "apart": [
            {"using": a, "other": b, "probe": probe, **told_apart(asked[a][probe], asked[b][probe])}
            for using, other in apart
            for a, b in ((a, b) for a in asked for b in asked if (arm_of(a), arm_of(b)) == (using, other))
            if _seeds_meet(a, b)
            for probe in asked[a]
            if probe in asked[b] and _pushes_wrong(asked[a][probe])
        ],
    }


def _pair(first: Arm, second: Arm, one: list[Ending], other: list[Ending]) -> dict[str, Any]:
    counts = paired_counts(first.right, second.right)
    ends = newcombe_paired(counts.both, counts.b, counts.c, counts.neither)
    accuracy = compare(first, second)
    return {
        "accuracy": {"value": accuracy["difference"], "ci_low": ends.low, "ci_high": ends.high, **accuracy},
        "inconsistent": compared(one, other),
    }


def _seeds_meet(first: str, second: str) -> bool:
    """Whether two runs are of one seed; a base is of any."""
    seeds = {run.partition("@")[2] for run in (first, second)} - {""}
    return len(seeds) < 2


def _pushes_wrong(asked: list[ProbeRecord]) -> bool:
    """Whether a probe argues for wrong answers: one for the right answer is a control that tells nobody apart."""
    return any(record.pushed is not None and record.pushed != record.truth for record in asked)


def _asked(folder: Path) -> dict[str, list[ProbeRecord]]:
    """The records of finished probes by the probe's name."""
    manifest.read(folder, kind=records.KIND)
    by_probe: dict[str, list[ProbeRecord]] = {}
    for record in records.read(folder, is_finished=True):
        by_probe.setdefault(record.probe, []).append(record)
    return by_probe


def _apart(word: str, asked: Mapping[str, Any]) -> tuple[str, str]:
    using, _, other = word.partition("=")
    known = dict.fromkeys(arm_of(run) for run in asked)
    for arm in (using, other):
        if arm not in known:
            raise UserError(f"--apart {word}: {arm!r} has no --probes; there are: {', '.join(known) or 'none'}")
    return using, other


def _named(words: list[str], flag: str) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for word in words:
        name, equals, place = word.partition("=")
        if not (name and equals and place):
            raise UserError(f"{flag} {word}: expected NAME=PATH")
        name = read_run(name, where=flag)
        if name in named:
            raise UserError(f"{flag} {name} is given twice; name several seeds NAME@SEED")
        named[name] = user_path(place)
    return named


if __name__ == "__main__":
    main()
