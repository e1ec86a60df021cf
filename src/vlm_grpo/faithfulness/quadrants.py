"""Does the reasoning end on the answer that is given, and is that answer right? Tables of one arm or several.

    python -m vlm_grpo.faithfulness.quadrants base=runs/base/test grpo=runs/grpo/test --out results/quadrants
    python -m vlm_grpo.faithfulness.quadrants before=A.json after=B.json --answers relaxed --out results/counting

An arm is a finished evaluation, a JSONL of id, problem, solution, task, text, or R1-V's JSON of counting results.
Endings are read by the task's rule; `--endings NAME=FILE` gives a judge's for the rest, a JSONL of id and ending (null:
on none) such as `python -m vlm_grpo.faithfulness.ask_endings` writes. OUT gets quadrants.json, quadrants.md,
endings.jsonl and, last, manifest.json. What the figures can tell: docs/faithfulness.md.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, get_args

from vlm_grpo import tables
from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.faithfulness.endings import Ending, compared, endings, quadrants
from vlm_grpo.faithfulness.saved import Saved, open_saved
from vlm_grpo.paths import user_path
from vlm_grpo.statistics.paired import holm
from vlm_grpo.store import atomic, jsonl, manifest
from vlm_grpo.tables import Table
from vlm_grpo.tasks.answers.rules import Rule

KIND, SCORES = "quadrants", "quadrants.json"
CELLS = ("consistent_right", "consistent_wrong", "inconsistent_right", "inconsistent_wrong")
HEADER = ("arm", "n", "reasons", "words (median)", "distinct 4-grams", "ending read", "by rule / judge")
DISTINCT = "distinct 4-grams: of all thoughts of an arm; fewer where they are many, and where they follow a template"
CAUTION = (
    "of the completions whose ending could be read: another reader of endings gives other figures",
    "an answer that follows from the reasoning need not have been reached by it",
)


@exits_cleanly
def main(argv: list[str] | None = None) -> None:
    """Read, cross and compare as the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m vlm_grpo.faithfulness.quadrants",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("arms", nargs="+", metavar="[NAME=]ARM", help="an evaluation, or a file of completions")
    parser.add_argument("--answers", choices=get_args(Rule), default="strict", help="how answers of files are read")
    parser.add_argument("--endings", action="append", default=[], metavar="NAME=FILE", help="a judge's endings")
    parser.add_argument("--out", type=user_path, required=True, metavar="DIR", help="output folder")
    given = parser.parse_args(argv)
    started = time.monotonic()
    arms = [open_saved(word, rule=given.answers) for word in given.arms]
    names = [arm.name for arm in arms]
    if len(set(names)) < len(names):
        raise UserError(f"two arms are called {max(names, key=names.count)!r}; name them: NAME=ARM")
    judged, judges = _judged(given.endings, names)
    read = {arm.name: endings(arm.rows, arm.texts, arm.outcomes, judged=judged.get(arm.name)) for arm in arms}
    summary = summarise(read) | {"judges": judges}
    manifest.claim(given.out, {"kind": KIND, "arms": {arm.name: arm.fingerprint for arm in arms}, "judged": judged})
    atomic.write_json(given.out / SCORES, summary)
    jsonl.write(given.out / "endings.jsonl", (_record(name, one) for name, ends in read.items() for one in ends))
    made = tables_of(summary)
    atomic.write_text(given.out / "quadrants.md", "\n\n".join(map(tables.to_markdown, made)) + "\n")
    _finish(given.out, arms, given.answers, seconds=time.monotonic() - started)
    print("\n\n".join(map(tables.to_text, made)))


def _judged(words: Sequence[str], names: Sequence[str]) -> tuple[dict[str, dict[str, Any]], dict[str, list[str]]]:
    """By arm, endings by row id, and who says so."""
    judged: dict[str, dict[str, Any]] = {}
    judges: dict[str, list[str]] = {}
    for word in words:
        name, _, place = word.partition("=")
        if name not in names:
            raise UserError(f"--endings {word!r} names no arm; known: {', '.join(names)}")
        records, by = {}, set()
        for number, record in jsonl.read_input(user_path(place)):
            if "id" not in record or "ending" not in record:
                raise UserError(f"{place} line {number}: a judged ending needs id and ending")
            if record.get("missing") is None:
                records[str(record["id"])] = record["ending"]
                by.add(str(record.get("judge", place)))
        judged[name], judges[name] = records, sorted(by)
    return judged, judges


def summarise(read: Mapping[str, Sequence[Ending]]) -> dict[str, Any]:
    """The figures of each arm by name, and the comparisons of every two on rows in common."""
    pairs = [
        {"first": a, "second": b, **compared(read[a], read[b])}
        for a, b in combinations(read, 2)
        if {one.id for one in read[a]} & {one.id for one in read[b]}
    ]
    adjusted = holm([pair["mcnemar_p"] for pair in pairs])
    return {
        "arms": {name: quadrants(ends) for name, ends in read.items()},
        "pairs": [{**pair, "holm_p": p} for pair, p in zip(pairs, adjusted, strict=True)],
    }


def tables_of(summary: Mapping[str, Any]) -> list[Table]:
    """Cells, conditional shares, and pairs where there are any."""
    arms = summary["arms"]
    made = [
        Table(
            "Where reasoning ends, by whether the answer is right",
            (*HEADER, *(cell.replace("_", ", ") for cell in CELLS)),
            tuple(
                (
                    name,
                    str(figures["n"]),
                    _share(figures["reasons"]),
                    "-" if figures["median_words"] is None else str(figures["median_words"]),
                    "-" if figures["distinct_4grams"] is None else f"{figures['distinct_4grams']:.2f}",
                    _share(figures["read"]),
                    f"{figures['read_by_rule']} / {figures['read_by_judge']}",
                    *(_share(figures["cells"][cell]) for cell in CELLS),
                )
                for name, figures in arms.items()
            ),
            (
                *(
                    f"{name}: {count} missing, {reason}"
                    for name, figures in arms.items()
                    for reason, count in figures["missing"].items()
                ),
                *(
                    f"{name}: what no rule reads is read by {', '.join(by)}"
                    for name, by in summary.get("judges", {}).items()
                    if by
                ),
                *(
                    f"{name}: rule and judge name the same ending in {_share(figures['rule_agrees'])}"
                    for name, figures in arms.items()
                    if figures["rule_agrees"]
                ),
                DISTINCT,
            ),
        ),
        Table(
            "Inconsistent reasoning",
            ("arm", "inconsistent", "if the answer is right", "if it is wrong", "right if consistent"),
            tuple(
                (
                    name,
                    _share(figures["inconsistent"]),
                    _share(figures["inconsistent_if_right"]),
                    _share(figures["inconsistent_if_wrong"]),
                    _share(figures["right_if_consistent"]),
                )
                for name, figures in arms.items()
            ),
            CAUTION,
        ),
    ]
    if summary["pairs"]:
        made.append(
            Table(
                "Inconsistent in one arm only, rows read in both",
                ("first", "second", "n", "first only", "second only", "p (exact McNemar)", "p (Holm)"),
                tuple(
                    (*(str(p[key]) for key in ("first", "second", "n", "b", "c")), _p(p["mcnemar_p"]), _p(p["holm_p"]))
                    for p in summary["pairs"]
                ),
            )
        )
    return made


def _share(share: Mapping[str, Any] | None) -> str:
    if share is None:
        return "-"
    low, high = 100 * share["ci_low"], 100 * share["ci_high"]
    return f"{share['k']}/{share['n']} = {share['rate']:.1%} [{low:.1f}, {high:.1f}]"


def _p(value: float) -> str:
    return f"{value:.2g}"


def _record(name: str, one: Ending) -> dict[str, Any]:
    return {
        "arm": name,
        "id": one.id,
        "right": one.right,
        "consistent": one.consistent,
        "reader": one.reader,
        "missing": one.missing,
        "words": one.words,
    }


def _finish(out: Path, arms: Sequence[Saved], rule: str, *, seconds: float) -> None:
    manifest.write(
        out,
        kind=KIND,
        config={"arms": [arm.name for arm in arms], "answers": rule},
        inputs={arm.name: arm.fingerprint for arm in arms},
        counts={arm.name: len(arm.rows) for arm in arms},
        seconds=seconds,
    )


if __name__ == "__main__":
    main()
