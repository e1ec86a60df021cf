"""Build a data set of `rec` from what was read: vet boxes against their pictures, part by picture, write rows.

What cannot be used is listed with its reason before anything is written. `no target` is on offer in every row of a data
set, or in none: where any of its expressions has no target.
"""

import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from vlm_grpo.errors import UserError
from vlm_grpo.rows import dataset
from vlm_grpo.rows.images import upright_size
from vlm_grpo.rows.links import bring
from vlm_grpo.rows.pictures import faulty
from vlm_grpo.rows.records import Row
from vlm_grpo.store import jsonl, manifest
from vlm_grpo.store.lock import only_writer
from vlm_grpo.tasks.jsonl.split import held_out
from vlm_grpo.tasks.rec.answer import NO_TARGET
from vlm_grpo.tasks.rec.example import Example, Unusable, as_row
from vlm_grpo.tasks.rec.source import Source, dropped
from vlm_grpo.tasks.rec.task import NAME

DROPPED = "dropped.jsonl"
TRAIN, VALIDATION = "train", "validation"


@dataclass(frozen=True)
class Options:
    """How to part what was read, and how much of it may be left out.

    Attributes:
        validation: share of the rows of split `train` to hold out as `validation`, by picture.
        seed: of that draw.
        apart: leave out of `train` what shows a picture that another split shows.
        max_dropped: largest share of a split that may be left out for a fault.
    """

    validation: float = 0.0
    seed: int = 42
    apart: bool = False
    max_dropped: float = 0.0


def build(out: Path, source: Source, options: Options) -> None:
    """Write the examples of `source` as a data set to `out`, with links to their pictures."""
    started = time.monotonic()
    examples = _with_ids_of_their_own(source.examples)
    splits, left_out, clipped = _vetted(examples, source.dropped)
    _check_dropped(splits, left_out, options.max_dropped, listed=out.with_name(f"{out.name}.{DROPPED}"))
    if options.validation:
        splits = _with_validation(splits, options)
    if options.apart:
        splits, seen_elsewhere = _apart(splits)
        left_out += seen_elsewhere
    config = {**source.config, **asdict(options)}
    identity = {"kind": dataset.KIND, "task": NAME, "sha256": dict(source.hashes), **config}
    manifest.claim(out, identity, not_compared=("max_dropped",))
    with only_writer(out, doing="building"):
        kept = {name for rows in splits.values() for row in rows for name in row.images}
        pictures = bring({out / e.place: e.picture for e in examples if e.place in kept})
        jsonl.write(out / DROPPED, left_out)
        dataset.save(
            out,
            splits,
            source={"name": source.name, "sha256": dict(source.hashes)},
            config=config,
            seconds=time.monotonic() - started,
            dropped=left_out,
            seeds={"split": options.seed},
            pictures=pictures,
            boxes="[x1, y1, x2, y2] by their edges, in pixels of the upright picture",
            clipped={split: clipped[split] for split in splits},
            no_targets={split: sum(row.solution == NO_TARGET for row in rows) for split, rows in splits.items()},
        )


def _with_ids_of_their_own(examples: list[Example]) -> list[Example]:
    """`examples`, in which an id that occurs again has its number added."""
    used: Counter[str] = Counter()
    named = []
    for example in examples:
        used[example.id] += 1
        again = used[example.id]
        named.append(example if again == 1 else replace(example, id=f"{example.id}-{again}"))
    return named


def _vetted(
    examples: list[Example], left_out: list[dict[str, Any]]
) -> tuple[dict[str, list[Row]], list[dict[str, Any]], Counter[str]]:
    """The rows by split, all that is left out, and how many boxes of each split were clipped to their picture."""
    splits: dict[str, list[Row]] = {entry["split"]: [] for entry in left_out}
    left_out, clipped = list(left_out), Counter[str]()
    faults = faulty(example.picture for example in examples)
    offers_none = any(example.box is None for example in examples)
    for example in examples:
        rows = splits.setdefault(example.split, [])
        try:
            if example.picture in faults:
                raise Unusable(f"picture {example.picture} {faults[example.picture]}")
            row, is_clipped = as_row(example, upright_size(example.picture), offers_none=offers_none)
        except Unusable as reason:
            left_out.append(dropped(example.split, example.id, str(reason)))
            continue
        rows.append(row)
        clipped[example.split] += is_clipped
    return splits, left_out, clipped


def _check_dropped(splits: dict[str, list[Row]], left_out: list[dict[str, Any]], most: float, *, listed: Path) -> None:
    """`UserError` where too much of a split cannot be used; the file `listed` then has all of it."""
    listed.unlink(missing_ok=True)
    if not splits:
        raise UserError("no referring expression was read; check the files and --splits")
    for split, rows in splits.items():
        gone = [entry for entry in left_out if entry["split"] == split]
        if rows and len(gone) <= most * (len(rows) + len(gone)):
            continue
        listed.parent.mkdir(parents=True, exist_ok=True)
        jsonl.write(listed, left_out)
        raise UserError(
            f"{len(gone)} of {len(rows) + len(gone)} expressions of split {split!r} cannot be used, the first is "
            f"{gone[0]['id']}: {gone[0]['reason']}; all are listed in {listed}: mend them, or leave out as many with "
            "--max-dropped"
        )


def _with_validation(splits: dict[str, list[Row]], options: Options) -> dict[str, list[Row]]:
    if TRAIN not in splits or VALIDATION in splits:
        raise UserError(f"--validation parts {TRAIN!r}, and the splits are {', '.join(splits)}; leave it out")
    rows = splits[TRAIN]
    out = held_out([row.images for row in rows], ratio=options.validation, seed=options.seed)
    return {
        TRAIN: [row for number, row in enumerate(rows) if number not in out],
        VALIDATION: [row for number, row in enumerate(rows) if number in out],
        **{split: others for split, others in splits.items() if split != TRAIN},
    }


def _apart(splits: dict[str, list[Row]]) -> tuple[dict[str, list[Row]], list[dict[str, Any]]]:
    """The splits with nothing in `train` whose picture another shows, and what is left out for it."""
    shown = {name: split for split, rows in splits.items() if split != TRAIN for row in rows for name in row.images}
    left_out = [
        dropped(TRAIN, row.id, f"its picture {row.images[0]} is shown in {shown[row.images[0]]} too")
        for row in splits.get(TRAIN, [])
        if row.images[0] in shown
    ]
    gone = {entry["id"] for entry in left_out}
    return {s: [r for r in rows if s != TRAIN or r.id not in gone] for s, rows in splits.items()}, left_out
