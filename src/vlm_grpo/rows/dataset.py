"""Data sets on disk: a `datasets.DatasetDict`, the images beside it, and a manifest written last."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict, disable_progress_bars, load_from_disk

from vlm_grpo.errors import UserError
from vlm_grpo.pair_names import pair_names
from vlm_grpo.rows import joined
from vlm_grpo.rows.records import Row, check_unique, parse_row
from vlm_grpo.store import manifest
from vlm_grpo.store.provenance import text_hash

KIND = "dataset"
FEW = 1000
"""Of more solutions than this, as outlines are, the manifest counts the most frequent ones only."""


def save(
    root: Path,
    splits: dict[str, list[Row]],
    *,
    source: dict[str, Any],
    config: dict[str, Any],
    seconds: float,
    dropped: list[dict[str, Any]] | None = None,
    seeds: dict[str, int] | None = None,
    **more: Any,
) -> None:
    """Write `splits` under `root` and then the manifest.

    `source` says where the rows come from (name, revision), `dropped` lists every row left out as
    `{split, id, reason}`; `more` goes into the manifest as it is. Images that several splits share are counted in the
    manifest. An empty split and an id that occurs twice are a `UserError`; columns that do not survive the round trip
    through Arrow are a `ValueError`.
    """
    for name, rows in splits.items():
        if not rows:
            raise UserError(f"{root}: split {name!r} is empty; nothing could be trained or evaluated on it")
        check_unique(rows, where=f"{root} split {name!r}")
    pairs = pair_names(splits)
    (root / manifest.MANIFEST).unlink(missing_ok=True)
    tables = {name: _table(rows) for name, rows in splits.items()}
    disable_progress_bars()
    DatasetDict(tables).save_to_disk(str(root))
    images = {name: {image for row in rows for image in row.images} for name, rows in splits.items()}
    manifest.write(
        root,
        kind=KIND,
        config=config,
        inputs={"source": source},
        counts={name: len(rows) for name, rows in splits.items()},
        seconds=seconds,
        seeds=seeds,
        fingerprints={name: fingerprint(rows) for name, rows in splits.items()},
        solutions={name: dict(Counter(row.solution for row in rows).most_common(FEW)) for name, rows in splits.items()},
        images={name: len(pictures) for name, pictures in images.items()},
        shared_images={name: len(images[a] & images[b]) for name, (a, b) in pairs.items()},
        dropped=dropped or [],
        **more,
    )


def _table(rows: list[Row]) -> Dataset:
    table = Dataset.from_list([row.flat() for row in rows])
    for row, stored in zip(rows, table.to_list(), strict=True):
        if stored != json.loads(json.dumps(row.flat())):
            raise ValueError(f"row {row.id} changes when stored; give all rows of a split the same columns and types")
    return table


def load(root: Path, split: str) -> list[Row]:
    """The rows of a split of the data set under `root`, validated; of `a+b`, those of both, each question once."""
    names = joined.parts(split, where=str(root))
    if len(names) == 1:
        return _load_one(root, split)
    return joined.join({name: _load_one(root, name) for name in names}, where=str(root))


def stored_rows(root: Path, split: str) -> int:
    """How many rows `split` has on disk; where it joins several, those that ask the same are all counted."""
    counts = manifest.read(root, kind=KIND)["counts"]
    return sum(counts[name] for name in joined.parts(split, where=str(root)))


def _load_one(root: Path, split: str) -> list[Row]:
    stored = manifest.read(root, kind=KIND)
    if split not in stored["counts"]:
        raise UserError(f"{root} has no split {split!r}; it has {', '.join(stored['counts'])}")
    try:
        table = load_from_disk(str(root / split))
    except (OSError, ValueError, IndexError) as error:
        raise UserError(f"{root}: split {split!r} cannot be read ({error}); build the data set again") from None
    rows = [parse_row(flat, where=f"{root} split {split!r} row {i}") for i, flat in enumerate(table.to_list())]
    if fingerprint(rows) != stored["fingerprints"][split]:
        raise UserError(f"{root}: split {split!r} differs from its manifest; build the data set again")
    return rows


def fingerprint(rows: list[Row]) -> str:
    """SHA-256 over the rows in order: what a run was trained or evaluated on."""
    return text_hash("\n".join(json.dumps(row.flat(), sort_keys=True, ensure_ascii=False) for row in rows))
