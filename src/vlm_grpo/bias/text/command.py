"""Build a text-biased copy of a data set, in which the relation of a caption hints at its label.

    python -m vlm_grpo.bias.text --data data/vsr --level 0.9 --out data/vsr_text_0.9
    python -m vlm_grpo.bias.text --data data/vsr --level acc_0.69 --out data/vsr_text_published
    python -m vlm_grpo.bias.text --data data/vsr --level 0.9 --out data/vsr_text_0.9 --dry-run
    python -m vlm_grpo.bias.text --table [--check] [--out FOLDER]

--level 0 to 1 is the strength of a balanced set: (1 + level) / 2 of the training rows have their relation's shortcut
label. Half of the rows are true and the number of rows is the same at every strength, no row comes twice and no
relation is lost, so that sets differ in nothing but the bias. --keep K and the levels acc_0.627, acc_0.69, acc_0.97,
acc_0.997 and extreme are the study's own sets, quirks included (they are listed in the manifest).

Validation and test stay whole. Every row carries `shortcut` (the answer that its relation suggests, null where the
training rows do not have the relation) and `bias_group` (agreeing, opposing or neutral). Beside each such split lies
its counter-biased part (test_counter): rows that oppose the shortcut, as many true as false.

--table computes the levels from the facts in results/paper, without data set or network; --check compares them with the
published ones and exits 1 where one differs.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from vlm_grpo.bias import facts
from vlm_grpo.bias.cases import Case
from vlm_grpo.bias.marks import GROUPS
from vlm_grpo.bias.text import levels
from vlm_grpo.bias.text.sets import Biased, Level, read_level
from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.option_types import seed
from vlm_grpo.paper.published import PAPER
from vlm_grpo.paths import user_path
from vlm_grpo.store import atomic, manifest
from vlm_grpo.store.provenance import file_hash
from vlm_grpo.tables import to_markdown, to_text

DIFFERS_EXIT_CODE = 1
KIND = "bias levels"
FIGURE = "label_shares.png"
SHOWN_RELATIONS = 5
SHOWN = {
    "acc_0.69": "published, acc_0.69",
    "acc_0.997": "published, acc_0.997",
    "strength 0": "balanced, strength 0",
    "strength 0.5": "balanced, strength 0.5",
    "strength 1": "balanced, strength 1",
}
"""Titles of the levels that the figure shows."""


@exits_cleanly
def main(arguments: list[str] | None = None) -> None:
    """The command line; see the module's docstring or `--help`."""
    given = parser().parse_args(arguments)
    if given.table:
        _table(given)
        return
    for name in ("check", "facts", "paper"):
        if getattr(given, name):
            raise UserError(f"--{name} belongs to --table")
    if given.data is None or given.out is None:
        raise UserError("give --data and --out to build a data set, or --table for the table of levels; see --help")
    _build(
        given.data,
        given.out,
        read_level(given.mode, given.level, given.keep, size=given.size, seed=given.seed),
        given.dry_run,
    )


def parser() -> argparse.ArgumentParser:
    """Every option, with what it does and its default."""
    made = argparse.ArgumentParser(
        prog="python -m vlm_grpo.bias.text",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("--data", type=user_path, metavar="FOLDER", help="data set to copy, with a split train")
    made.add_argument(
        "--out", type=user_path, metavar="FOLDER", help="the biased data set; with --table: tables and figure"
    )
    made.add_argument("--level", help="strength from 0 to 1, or a level of the study")
    made.add_argument("--keep", type=float, metavar="K", help="keep ratio of a published set, 0 to 1")
    made.add_argument("--mode", choices=["balanced", "published"], help="refuse a level of the other mode")
    made.add_argument("--size", type=int, metavar="N", help="training rows of a balanced set (default: all that fit)")
    made.add_argument("--seed", type=seed("--seed"), default=42, help="of the draws (default 42)")
    made.add_argument("--dry-run", action="store_true", help="tell what would be built; write nothing")
    table = made.add_argument_group("the table of levels")
    table.add_argument("--table", action="store_true", help="print it, from the facts")
    table.add_argument("--check", action="store_true", help="compare with the published figures")
    table.add_argument("--facts", type=user_path, metavar="FILE", help="other facts")
    table.add_argument("--paper", type=user_path, metavar="FOLDER", help="folder of other published.json")
    return made


def _build(data: Path, out: Path, level: Level, is_dry: bool) -> None:
    from vlm_grpo.bias.text.build import build, plan  # the table needs no data sets
    from vlm_grpo.rows import dataset

    if is_dry:
        planned = plan(data, level)
        print(f"would build {out} from {data}: {level}")
        _tell({split: len(rows) for split, rows in planned.splits.items()}, planned.details)
        return
    is_new = build(data, out, level) is not None
    built = manifest.read(out, kind=dataset.KIND)
    _tell(built["counts"], built)
    shared = ", ".join(f"{p} {n}" for p, n in built["shared_images"].items() if n and not _is_counter(p))
    print(f"pictures: {built['pictures']['linked']} linked, {built['pictures']['copied']} copied", end="")
    print(f"; in two splits: {shared}" if shared else "; none in two splits")
    print(f"data set: {out}{'' if is_new else ' (complete already)'}")


def _is_counter(pair: str) -> bool:
    """Whether a pair of splits names a counter-biased one, which shares its pictures with the split it is a part of."""
    return "_counter" in pair


def _tell(counts: dict[str, int], details: dict[str, Any]) -> None:
    """Print the splits, the level and what the reader must know of them."""
    for split, rows in counts.items():
        groups = details["bias_groups"].get(split)
        print(f"{split}: {rows} rows" + (f" ({', '.join(f'{groups[g]} {g}' for g in GROUPS)})" if groups else ""))
    print(f"train: {details['true_share']:.1%} true, {details['agreeing_share']:.1%} agreeing")
    if details["probe"]:
        scores = ", ".join(f"{part.replace('_', '-')} {_score(s)}" for part, s in details["probe"].items() if s)
        print(f"probe: {scores}")
        print(f"level: {details['level_name']}")
    else:
        print(f"level: {details['level_name']} (all rows have one label, so no probe can be fitted)")
    print(f"train: {details['left_out']} rows of the source are left out")
    for split, relations in details["neutral_relations"].items():
        if relations:
            shown = ", ".join(list(relations)[:SHOWN_RELATIONS]) + (", …" if len(relations) > SHOWN_RELATIONS else "")
            print(f"note: {sum(relations.values())} rows of {split} are neutral, train has no such relation: {shown}")
    for split, rows in details["counter"]["rows"].items():
        if not rows:
            print(f"note: no split {split}_counter: not both labels of {split} oppose the shortcut")


def _score(share: dict[str, Any]) -> str:
    return f"{share['accuracy']:.4f} ({share['ci_low']:.3f} to {share['ci_high']:.3f})"


def _table(given: argparse.Namespace) -> None:
    started = time.monotonic()
    for name in ("data", "level", "keep", "mode", "size", "dry_run"):
        if getattr(given, name) not in (None, False):
            raise UserError(f"--{name.replace('_', '-')} has no effect with --table; leave it out")
    source = given.facts or PAPER / facts.FILE
    splits = facts.read(source)
    sets = levels.all_levels(splits, seed=given.seed)
    figures = {
        "data": levels.data_counts(splits),
        "levels": {name: levels.measure(biased, splits) for name, biased in sets.items()},
    }
    tables = levels.all_tables(figures)
    print("\n\n".join(to_text(table) for table in tables))
    if given.out is not None:
        manifest.claim(given.out, {"kind": KIND})
        (given.out / manifest.MANIFEST).unlink(missing_ok=True)
        atomic.write_json(given.out / "levels.json", figures)
        text = "\n\n".join(to_markdown(table) for table in tables)
        atomic.write_text(given.out / "levels.md", f"{text}\n\n![True rows by relation]({FIGURE})\n")
        _draw(splits[levels.TRAIN], sets, given.out / FIGURE)
        manifest.write(
            given.out,
            kind=KIND,
            config={"seed": given.seed},
            inputs={source.name: file_hash(source)},
            counts={name: len(biased.cases) for name, biased in sets.items()},
            seconds=time.monotonic() - started,
            seeds={"bias": given.seed},
        )
    if given.check:
        _check(levels.differences(figures, given.paper or PAPER))


def _draw(before: list[Case], sets: dict[str, Biased], path: Path) -> None:
    from vlm_grpo.bias.text.label_figure import label_shares  # matplotlib takes a second to import
    from vlm_grpo.drawing import save

    save(label_shares(before, {title: sets[name].cases for name, title in SHOWN.items()}), path)


def _check(differing: list[str]) -> None:
    for line in differing:
        print(f"check: {line}", file=sys.stderr)
    if differing:
        sys.exit(DIFFERS_EXIT_CODE)
    print("\ncheck: every published level is reproduced")
