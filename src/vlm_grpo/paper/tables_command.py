"""The command behind `alignment_judge/statistics.py`: alignment tables from stored or own verdicts, offline."""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vlm_grpo.alignment import report, sources
from vlm_grpo.alignment.answer_rules import ANSWER_RULES, AnswerRule
from vlm_grpo.alignment.checks import ALLOWANCES, check
from vlm_grpo.alignment.items import JudgedItem, JudgedSplit
from vlm_grpo.alignment.summary import Summary, compare, summarise
from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.option_types import seed, share, whole
from vlm_grpo.paper import published
from vlm_grpo.paths import user_path
from vlm_grpo.statistics.bootstrap import LEAST_RESAMPLES
from vlm_grpo.store import atomic, manifest, provenance
from vlm_grpo.tables import RENDERERS

DIFFERS_EXIT_CODE = 1
FORMATS = {"text": "txt", "json": "json", "csv": "csv", "markdown": "md", "latex": "tex"}
"""Name of a format and the suffix of its file."""


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    p = argparse.ArgumentParser(
        prog="statistics.py",
        description="Alignment tables. Without --verdicts: those of the study, from its stored o4-mini verdicts, with "
        "every printed figure compared with the published one.",
    )
    p.add_argument("--verdicts", type=user_path, help="your verdicts: our verdicts.jsonl, or the original's JSON list")
    p.add_argument(
        "--base", type=user_path, help="responses of the base model, to read correctness from (with --verdicts)"
    )
    p.add_argument("--grpo", type=user_path, help="responses of the GRPO model, likewise")
    p.add_argument("--split", help="split to show; with --verdicts: the split the verdicts belong to")
    p.add_argument(
        "--split-size",
        type=whole("--split-size", least=1),
        help="items of the split (default: as the verdicts' manifest or VSR says)",
    )
    p.add_argument(
        "--answer-rule", choices=ANSWER_RULES, help="default: published for the original; ours say themselves"
    )
    p.add_argument(
        "--repeat", type=whole("--repeat"), default=0, help="which repeat of our verdicts to show, from 0 (default 0)"
    )
    p.add_argument(
        "--allow",
        action="append",
        default=[],
        choices=ALLOWANCES,
        help="go on in spite of this defect, and say so in the table (may be given several times)",
    )
    p.add_argument(
        "--min-coverage", type=share("--min-coverage"), default=0.95, help="least share of verdicts (default 0.95)"
    )
    p.add_argument("--check", action="store_true", help="compare with the published figures; exit 1 if one differs")
    p.add_argument("--format", choices=FORMATS, default="text")
    p.add_argument("--out", type=user_path, help="folder for all formats and the figures (PNG, PDF)")
    p.add_argument("--seed", type=seed("--seed"), default=0, help="seed of the bootstrap (default 0)")
    p.add_argument(
        "--resamples",
        type=whole("--resamples", least=LEAST_RESAMPLES, most=10_000_000),
        default=10_000,
        help="bootstrap resamples (default 10000)",
    )
    p.add_argument("--paper", type=user_path, default=published.PAPER, help="folder of the stored verdicts and figures")
    return p


@exits_cleanly
def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables; exit code 1 when `--check` finds a difference, 2 on a user's mistake."""
    started = time.monotonic()
    options = parser().parse_args(arguments)
    splits = _stored(options) if options.verdicts is None else [_own(options)]
    summaries = [summary for split in splits for summary in summarise(split)]
    comparisons = compare(splits, seed=options.seed, resamples=options.resamples)
    comparable = options.verdicts is None or options.check
    marks = {(s.split, s.model): published.differences(s, options.paper) for s in summaries} if comparable else {}
    simple = published.simple_prompt(options.paper) if options.verdicts is None else []
    rows = report.records(summaries, comparisons, marks)
    tables = report.tables(summaries, comparisons, marks, simple)

    def rendered(name: str) -> str:
        if name == "json":
            return report.to_json(rows)
        if name == "csv":
            return report.to_csv(rows)
        return "\n\n".join(map(RENDERERS[name], tables))

    print(rendered(options.format))
    if options.out is not None:
        _write(options, {name: rendered(name) for name in FORMATS}, simple, summaries, started)
    if options.check:
        _leave_if_different(marks)


def _leave_if_different(marks: report.Marks) -> None:
    differing = [
        f"{split} {model} {name} {mark}"
        for (split, model), figures in marks.items()
        for name, mark in figures.items()
        if mark.difference != 0
    ]
    for line in differing:
        print(f"check: {line}", file=sys.stderr)
    if differing:
        sys.exit(DIFFERS_EXIT_CODE)
    print(f"check: {sum(map(len, marks.values()))} figures, all equal to the published ones", file=sys.stderr)


def _stored(options: argparse.Namespace) -> list[JudgedSplit]:
    for name in ("base", "grpo", "split_size"):
        if getattr(options, name) is not None:
            raise UserError(f"--{name.replace('_', '-')} goes with --verdicts; the stored verdicts need no other file")
    names = published.SPLITS if options.split is None else (options.split,)
    if not set(names) <= set(published.SPLITS):
        raise UserError(f"no stored verdicts of split {options.split!r}; splits: {', '.join(published.SPLITS)}")
    rule: AnswerRule = options.answer_rule or "published"
    splits = []
    for name in names:
        items = sources.read_stored(options.paper / "alignment" / f"{name}.tsv", rule)
        judged, rows = published.judged_rows(name, options.paper), published.split_rows(name, options.paper)
        split = JudgedSplit(name, published.JUDGE, published.MODELS, tuple(items), judged)
        if judged != rows:
            split = split.with_note(f"items: the first {judged} of the split's {rows:,} rows")
        splits.append(_checked(split, options))
    return splits


def _own(options: argparse.Namespace) -> JudgedSplit:
    path: Path = options.verdicts
    items = sources.read_verdicts(path, options.answer_rule, repeat=options.repeat)
    for model in published.MODELS:
        responses = getattr(options, model)
        if responses is not None:
            items = sources.with_responses(items, model, responses, options.answer_rule)
    name, size = _split_of(options)
    kinds = tuple(sources.kinds_of(path))
    split = JudgedSplit(name, sources.judges_of(path), _models(items), tuple(items), size, kinds=kinds)
    untyped = sum(item.aligns is False and item.type is None for item in items)
    if untyped:
        split = split.with_note(f"{untyped} misaligned verdicts carry no type: their prompt asks for none")
    if sources.is_json_list(path) and not options.split_size and name in published.SPLITS:
        split = _as_the_study(split, options.paper)
    return _checked(split, options)


def _as_the_study(split: JudgedSplit, paper: Path) -> JudgedSplit:
    """The original's files hold the first rows of a split, as many as the study judged: whole in that sense."""
    judged, rows = published.judged_rows(split.split, paper), published.split_rows(split.split, paper)
    if judged == rows or any(len(split.of(model)) != judged for model in split.models):
        return split
    return replace(split, size=judged).with_note(f"items: the first {judged} of the split's {rows:,} rows")


def _models(items: Sequence[JudgedItem]) -> tuple[str, ...]:
    """Models in order of appearance, the one called base first."""
    return tuple(sorted(dict.fromkeys(item.model for item in items), key=lambda model: model != published.MODELS[0]))


def _split_of(options: argparse.Namespace) -> tuple[str, int | None]:
    """Name and size of the user's split: as told, else as the manifest beside the verdicts says, else as in VSR."""
    counts: dict[str, Any] = {}
    if not sources.is_json_list(options.verdicts) and manifest.exists(options.verdicts.parent):
        record = manifest.read(options.verdicts.parent, kind="verdicts")
        counts = {"split": record["config"]["split"], "size": record["counts"]["split"]}
    if options.split and counts.get("split") and options.split != counts["split"]:
        raise UserError(f"{options.verdicts} is of split {counts['split']!r}, not {options.split!r}")
    name = options.split or counts.get("split") or "your data"
    size = options.split_size or counts.get("size")
    if size is None and name in published.SPLITS:
        size = published.split_rows(name, options.paper)
    return name, size


def _checked(split: JudgedSplit, options: argparse.Namespace) -> JudgedSplit:
    return check(split, allow=frozenset(options.allow), min_coverage=options.min_coverage)


def _write(
    options: argparse.Namespace,
    texts: dict[str, str],
    simple: list[dict[str, Any]],
    summaries: Sequence[Summary],
    started: float,
) -> None:
    from vlm_grpo.alignment import figures  # matplotlib takes a second to import, and only this needs it

    folder: Path = options.out
    for name, text in texts.items():
        atomic.write_text(folder / f"alignment.{FORMATS[name]}", text + "\n")
    if simple:
        atomic.write_json(folder / "simple_prompt.json", simple)
    figures.save(summaries, folder)
    read = [options.verdicts, options.base, options.grpo]
    if options.verdicts is None:
        read = [options.paper / "alignment" / f"{name}.tsv" for name in dict.fromkeys(s.split for s in summaries)]
    manifest.write(
        folder,
        kind="alignment",
        config={"answer_rules": sorted({s.answer_rule for s in summaries}), "allow": options.allow},
        inputs={str(path): provenance.file_hash(path) for path in read if path is not None},
        counts={f"{s.split} {s.model}": s.total for s in summaries},
        seconds=time.monotonic() - started,
        seeds={"bootstrap": options.seed},
    )
