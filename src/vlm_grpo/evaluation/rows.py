"""The rows of an evaluation: a split, or a seeded part of it."""

import random
from pathlib import Path

from vlm_grpo.rows import dataset
from vlm_grpo.rows.records import Row


def load(root: Path, split: str, *, limit: int | None, seed: int) -> tuple[list[Row], int]:
    """The rows to answer and how many the split has."""
    rows = dataset.load(root, split)
    return draw(rows, limit=limit, seed=seed), len(rows)


def draw(rows: list[Row], *, limit: int | None, seed: int) -> list[Row]:
    """`limit` rows drawn with `seed`, in the split's order; all of them when `limit` is None or as large."""
    if limit is None or limit >= len(rows):
        return rows
    kept = random.Random(seed).sample(range(len(rows)), limit)
    return [rows[index] for index in sorted(kept)]
