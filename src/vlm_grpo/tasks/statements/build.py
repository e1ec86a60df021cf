"""Write statements as a data set: no picture in two splits, rows in a wording, and a manifest that tells what was done.

Two names of one picture are one picture. What a later split shows (`ORDER`) is left out of the earlier ones, so that a
test split stays whole. The study's preparation leaves everything where it is; the manifest says how much is shared.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from vlm_grpo.errors import UserError
from vlm_grpo.pair_names import pair_names
from vlm_grpo.rows import dataset
from vlm_grpo.store import jsonl, manifest
from vlm_grpo.store.lock import only_writer
from vlm_grpo.tasks.statements.statement import Statement, to_row
from vlm_grpo.tasks.statements.wording import Wording

Preparation = Literal["clean", "study"]
DROPPED = "dropped.jsonl"
SPLITS = {"train": "train", "valid": "validation", "test": "test"}
"""Of the files -> of the data set."""
ORDER = ("test", "validation", "train")
"""A picture belongs to the first of these that shows it."""
STUDY_PREDICATES = (
    *("on", "to the right of", "under", "in", "in front of", "above", "next to", "behind", "to the left of"),
)
"""SpatialSense's, which the study looked for in Rel3D: seven of them are there."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is built of the files.

    Attributes:
        preparation: `clean`, or `study` for the study's own.
        wording: of the problems.
        panels: whether a picture shows four panels; known for Rel3D only.
        predicates: those to take, in the files' words; None: all.
        limit: how many statements of a split to take from its start.
        max_dropped: largest share of a split that may be left out for a fault.
    """

    preparation: Preparation = "clean"
    wording: Wording = "sentence"
    panels: bool = False
    predicates: tuple[str, ...] | None = None
    limit: int | None = None
    max_dropped: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Source:
    """What was read.

    Attributes:
        name: of the data set.
        task: of its rows.
        hashes: SHA-256 of each file, by its name.
        statements: in the files' order, those that can be used.
        dropped: the others, as `{split, id, reason}`.
        config: what else decided what was read.
        pair: the further column that names a statement's pair; None: they stand alone.
        told: what else the manifest tells.
    """

    name: str
    task: str
    hashes: Mapping[str, str]
    statements: Sequence[Statement]
    dropped: Sequence[dict[str, Any]]
    config: Mapping[str, Any]
    pair: str | None = None
    told: Mapping[str, Any] = field(default_factory=dict)


def chosen(predicates: tuple[str, ...] | None, known: Sequence[str]) -> tuple[str, ...]:
    """Those of `predicates` that are among the `known` ones of the files, in these' order.

    `UserError` for one that is not, unless it is of the study's list, and where none is left.
    """
    taken = tuple(name for name in known if predicates is None or name in predicates)
    unknown = [name for name in predicates or () if name not in known]
    if not taken or (unknown and predicates != STUDY_PREDICATES):
        raise UserError(f"--predicates: {', '.join(unknown)} not among the files' own; known: {', '.join(known)}")
    return taken


def build(out: Path, source: Source, options: Options) -> dict[str, Any]:
    """Write the statements of `source` and their pictures to `out`, if they are not there; the manifest."""
    started = time.monotonic()
    config = {
        **source.config,
        **{name: getattr(options, name) for name in ("preparation", "wording", "panels", "limit", "max_dropped")},
        "predicates": None if options.predicates is None else list(options.predicates),
    }
    identity = {"kind": dataset.KIND, "task": source.task, "sha256": dict(source.hashes), **config}
    if manifest.is_claimed(out, identity, not_compared=("max_dropped",)) and manifest.exists(out):
        return manifest.read(out, kind=dataset.KIND)
    statements, dropped, duplicates = _kept(source, options, listed=out.with_name(f"{out.name}.{DROPPED}"))
    by_split = {split: [s for s in statements if s.split == split] for split in _splits(source)}
    splits = {
        split: [to_row(s, task=source.task, wording=options.wording, panels=options.panels) for s in taken]
        for split, taken in by_split.items()
    }
    manifest.claim(out, identity, not_compared=("max_dropped",))
    with only_writer(out, doing="building"):
        _save_pictures(out, statements)
        jsonl.write(out / DROPPED, dropped)
        dataset.save(
            out,
            splits,
            source={"name": source.name, "sha256": dict(source.hashes)},
            config=config,
            seconds=time.monotonic() - started,
            dropped=dropped,
            duplicate_pictures=duplicates,
            **_facts(by_split, source.pair),
            **source.told,
        )
    return manifest.read(out, kind=dataset.KIND)


def _splits(source: Source) -> list[str]:
    """Those that the files have statements of."""
    there = {statement.split for statement in source.statements} | {entry["split"] for entry in source.dropped}
    return [split for split in SPLITS.values() if split in there]


def _kept(source: Source, options: Options, *, listed: Path) -> tuple[list[Statement], list[dict[str, Any]], int]:
    """The statements that make rows, what is left out, and how many pictures had a further name."""
    statements, dropped = list(source.statements), list(source.dropped)
    _check_dropped(statements, dropped, options.max_dropped, listed=listed)
    if options.preparation == "study":
        return statements, dropped, 0
    duplicates = 0
    if not options.panels:
        statements, duplicates = _under_one_name(statements)
    statements, elsewhere = _apart(statements)
    return statements, dropped + elsewhere, duplicates


def _save_pictures(out: Path, statements: Sequence[Statement]) -> None:
    """Write what is not there yet; a write that is cut off leaves nothing under the picture's name."""
    for shown in {statement.shown.name: statement.shown for statement in statements}.values():
        place = out / shown.name
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            unfinished = place.with_name(f".unfinished {place.name}")
            shown.save(unfinished)
            unfinished.replace(place)


def _facts(by_split: Mapping[str, Sequence[Statement]], pair: str | None) -> dict[str, Any]:
    """What the manifest tells of the statements of each split."""
    facts: dict[str, Any] = {
        "balance": {split: _balance(taken) for split, taken in by_split.items()},
        "shared_pictures": _shared(by_split),
        "without_a_box": {
            split: sum(s.subject_box is None or s.object_box is None for s in taken)
            for split, taken in by_split.items()
        },
        "boxes": "[x1, y1, x2, y2] by their edges, in pixels of the picture; in four panels those of the first",
    }
    if pair is not None:
        facts["pairs"] = {split: _pairs(taken, pair) for split, taken in by_split.items()}
    return facts


def _under_one_name(statements: Sequence[Statement]) -> tuple[list[Statement], int]:
    """The statements with one name for each picture, and how many further names are gone."""
    first: dict[str, Statement] = {}
    for statement in statements:
        first.setdefault(statement.shown.content, statement)
    names = {statement.shown.name for statement in statements}
    named = [replace(s, shown=replace(s.shown, name=first[s.shown.content].shown.name)) for s in statements]
    return named, len(names) - len({statement.shown.name for statement in named})


def _apart(statements: Sequence[Statement]) -> tuple[list[Statement], list[dict[str, Any]]]:
    """The statements without those whose picture a later split shows, and these with the reason."""
    shown_in: dict[str, str] = {}
    for split in ORDER:
        for statement in statements:
            if statement.split == split:
                shown_in.setdefault(statement.shown.content, split)
    gone = [
        {
            "split": s.split,
            "id": s.id,
            "reason": f"its picture {s.shown.source} is shown in {shown_in[s.shown.content]} too",
        }
        for s in statements
        if shown_in[s.shown.content] != s.split
    ]
    return [s for s in statements if shown_in[s.shown.content] == s.split], gone


def _shared(by_split: Mapping[str, Sequence[Statement]]) -> dict[str, int]:
    """How many pictures each two splits both show, whatever they are called."""
    contents = {split: {statement.shown.content for statement in taken} for split, taken in by_split.items()}
    return {name: len(contents[a] & contents[b]) for name, (a, b) in pair_names(by_split).items()}


def _balance(statements: Sequence[Statement]) -> dict[str, dict[str, int]]:
    """By predicate how many statements hold and how many do not."""
    counts = Counter((statement.relation, statement.holds) for statement in statements)
    return {
        relation: {"true": counts[relation, True], "false": counts[relation, False]}
        for relation in sorted({statement.relation for statement in statements})
    }


def _pairs(statements: Sequence[Statement], column: str) -> dict[str, int]:
    """How many pairs are whole, and how many statements have no other."""
    sizes = Counter(statement.more[column] for statement in statements if statement.more[column])
    whole = sum(size > 1 for size in sizes.values())
    return {"pairs": whole, "unpaired": len(statements) - sum(size for size in sizes.values() if size > 1)}


def _check_dropped(
    statements: Sequence[Statement], dropped: list[dict[str, Any]], most: float, *, listed: Path
) -> None:
    """`UserError` where too much of a split has a fault; the file `listed` then has all of it."""
    listed.unlink(missing_ok=True)
    for split in SPLITS.values():
        gone = [entry for entry in dropped if entry["split"] == split]
        rows = sum(statement.split == split for statement in statements) + len(gone)
        if len(gone) <= most * rows:
            continue
        listed.parent.mkdir(parents=True, exist_ok=True)
        jsonl.write(listed, dropped)
        raise UserError(
            f"{len(gone)} of {rows} statements of split {split!r} cannot be used, the first is {gone[0]['id']}: "
            f"{gone[0]['reason']}; all are listed in {listed}: mend them, or leave out as many with --max-dropped"
        )
