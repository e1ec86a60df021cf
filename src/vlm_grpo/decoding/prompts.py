"""Which rows of a batch ask the same: equal token ids and equal pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class DistinctPrompts:
    """`first` is the row where each distinct prompt appears first, `of_row` the prompt that each row asks."""

    first: list[int]
    of_row: list[int]


def distinct_prompts(
    prompts: Sequence[Sequence[int]], same_pictures: Callable[[list[tuple[int, int]]], list[bool]]
) -> DistinctPrompts:
    """Group rows by their prompt's token ids and pictures; `same_pictures` compares pairs of rows.

    All rows of a text are compared with its first at once, those that differ with the first of them, and so on: whoever
    looks at a comparison waits for the device.
    """
    alike: dict[tuple[int, ...], list[int]] = {}
    for row, prompt in enumerate(prompts):
        alike.setdefault(tuple(prompt), []).append(row)
    first_of = list(range(len(prompts)))
    groups = list(alike.values())
    while groups := [group for group in groups if len(group) > 1]:
        pairs = [(first, row) for first, *others in groups for row in others]
        unlike: dict[int, list[int]] = {}
        for (first, row), is_same in zip(pairs, same_pictures(pairs), strict=True):
            if is_same:
                first_of[row] = first
            else:
                unlike.setdefault(first, []).append(row)
        groups = list(unlike.values())
    distinct = sorted(set(first_of))
    number = {row: index for index, row in enumerate(distinct)}
    return DistinctPrompts(distinct, [number[row] for row in first_of])
