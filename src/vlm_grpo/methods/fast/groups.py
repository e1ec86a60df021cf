"""How to shuffle the rows of a batch without tearing groups apart."""

from collections.abc import Sequence
from typing import Any

import torch


def shuffle_whole_groups(batch: dict[str, Any], group_of_row: Sequence[int]) -> dict[str, Any]:
    """`batch` with its rows permuted so that the rows of a group stay neighbours.

    One permutation of the rows is drawn from torch's global generator, as TRL draws it, so that what is sampled later
    under the same seed does not depend on which of the two shuffles. Groups follow in the order in which it first
    meets them, and so do the rows inside a group.
    """
    order = torch.randperm(len(group_of_row)).tolist()
    rank = {group: place for place, group in enumerate(dict.fromkeys(group_of_row[row] for row in order))}
    order.sort(key=lambda row: rank[group_of_row[row]])
    return {key: _permute(value, order) for key, value in batch.items()}


def _permute(value: Any, order: list[int]) -> Any:
    if value is None or (isinstance(value, torch.Tensor) and value.ndim == 0):
        return value
    return value[order] if isinstance(value, torch.Tensor) else [value[row] for row in order]
