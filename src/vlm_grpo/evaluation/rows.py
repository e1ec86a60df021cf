"""The rows of an evaluation: a split, or a seeded part of it."""

import random
from difflib import get_close_matches
from pathlib import Path

from vlm_grpo.errors import UserError
from vlm_grpo.rows import dataset
from vlm_grpo.rows.records import Row


def load(root: Path, split: str, *, limit: int | None, seed: int) -> tuple[list[Row], int]:
    """The rows to answer and how many the split has."""
    rows = dataset.load(root, split)
    return draw(rows, limit=limit, seed=seed), len(rows)


def named(rows: list[Row], row_id: str, *, where: str) -> list[Row]:
    """The row of that id alone; `UserError` with what comes nearest where there is none."""
    if chosen := [row for row in rows if row.id == row_id]:
        return chosen
    near = get_close_matches(row_id, [row.id for row in rows], n=3, cutoff=0.0)
    raise UserError(f"{where}: no row {row_id!r}; there are {', '.join(near)} and {len(rows) - len(near)} others")


def draw(rows: list[Row], *, limit: int | None, seed: int) -> list[Row]:
    """`limit` rows drawn with `seed`, in the split's order; all of them when `limit` is None or as large."""
    if limit is None or limit >= len(rows):
        return rows
    kept = random.Random(seed).sample(range(len(rows)), limit)
    return [rows[index] for index in sorted(kept)]
