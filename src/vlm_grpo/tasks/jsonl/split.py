"""Part rows into training and validation by picture: rows that share one, directly or over others, stay together.

The parts depend on the rows and the seed alone, so every process and every machine makes the same.
"""

import random
from collections.abc import Hashable, Sequence

from vlm_grpo.errors import UserError


def families(pictures: Sequence[Sequence[Hashable]]) -> list[list[int]]:
    """Rows, given by their `pictures`, in groups that share no picture; each in order, and by their first row."""
    parent = list(range(len(pictures)))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    first: dict[Hashable, int] = {}
    for row, shown in enumerate(pictures):
        for picture in shown:
            one, other = sorted((root(row), root(first.setdefault(picture, row))))
            parent[other] = one
    groups: dict[int, list[int]] = {}
    for row in range(len(pictures)):
        groups.setdefault(root(row), []).append(row)
    return list(groups.values())


def held_out(pictures: Sequence[Sequence[Hashable]], *, ratio: float, seed: int) -> set[int]:
    """The rows to validate on: families drawn with `seed`, together at most the share `ratio` of all rows.

    `UserError` where no family fits into that share.
    """
    groups = families(pictures)
    random.Random(seed).shuffle(groups)
    room = round(ratio * len(pictures))
    chosen: set[int] = set()
    for group in groups:
        if len(group) <= room - len(chosen):
            chosen.update(group)
    if not chosen:
        smallest = min(map(len, groups))
        raise UserError(
            f"--val_split_ratio {ratio:g} of {len(pictures)} rows leaves room for {room}, and the smallest group of "
            f"rows that share pictures has {smallest}; give a larger share, or a validation file of its own"
        )
    return chosen
