"""Which rows of a batch ask the same: equal token ids and equal pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class DistinctPrompts:
    """`first` is the row where each distinct prompt appears first, `of_row` the prompt that each row asks."""

    first: list[int]
    of_row: list[int]


def distinct_prompts(prompts: Sequence[Sequence[int]], same_pictures: Callable[[int, int], bool]) -> DistinctPrompts:
    """Group rows by their prompt's token ids and pictures; `same_pictures` compares two rows."""
    candidates: dict[tuple[int, ...], list[int]] = {}
    first: list[int] = []
    of_row: list[int] = []
    for row, prompt in enumerate(prompts):
        alike = candidates.setdefault(tuple(prompt), [])
        known = next((index for index in alike if same_pictures(first[index], row)), None)
        if known is None:
            known = len(first)
            alike.append(known)
            first.append(row)
        of_row.append(known)
    return DistinctPrompts(first, of_row)
