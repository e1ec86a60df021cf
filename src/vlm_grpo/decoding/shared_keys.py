"""Attend to the keys and values of a prompt once for all rows that continue it.

Each row's places hold a copy of its prompt's keys and values. Where nothing is captured, a step may read the first
row's for all of them: one product a prompt instead of one a row, which spares most of the memory that a token otherwise
passes through. The answers are the same up to the order of summation.

Left out: captured steps, whose operations must not depend on which rows share a prompt, and formats shorter than
float32, in which scores that are written down would round.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import torch

WORTH = 1 << 17
"""Values of keys a prompt and layer that must be spared; below, the further operations cost more (measured)."""


@dataclass(frozen=True)
class SharedKeys:
    """`rows` says how many rows in turn continue the same prompt, of `places` places."""

    rows: tuple[int, ...]
    places: int


def shared_keys(prompt_of_row: Sequence[int], *, places: int, width: int) -> SharedKeys | None:
    """Which rows next to each other continue one prompt; None where sharing is not worth it.

    `places` are the prompts' tokens, `width` the values of a token's keys in a layer.
    """
    rows = tuple(len(list(group)) for _, group in groupby(prompt_of_row))
    spared = (len(prompt_of_row) - len(rows)) * places * width
    return SharedKeys(rows, places) if spared >= WORTH * len(rows) else None


def attend(
    queries: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    mask: torch.Tensor | None,
    *,
    scale: float,
    shared: SharedKeys,
) -> torch.Tensor:
    """Attention (B, H, G, width) of `queries` (B, H, G, width) over `keys` and `values` (B, H, L, width).

    H are the key heads and G the queries of each; `mask` (B, 1, 1, L) is additive.
    """
    own = slice(shared.places, None)
    scores = queries.new_empty(*queries.shape[:3], keys.shape[2])
    scores[..., own] = queries @ keys[:, :, own].transpose(-1, -2)
    parts = list(zip(queries.split(shared.rows), scores[..., : shared.places].split(shared.rows), strict=True))
    firsts = [sum(shared.rows[:index]) for index in range(len(shared.rows))]
    for first, (asked, to_prompt) in zip(firsts, parts, strict=True):
        at_once = asked.transpose(0, 1).flatten(1, 2) @ keys[first, :, : shared.places].transpose(-1, -2)
        to_prompt.copy_(at_once.unflatten(1, asked.shape[::2]).transpose(0, 1))
    scores.mul_(scale)
    weights = (scores if mask is None else scores.add_(mask)).softmax(-1)
    answers = weights[..., own] @ values[:, :, own]
    of_prompts = zip(firsts, weights[..., : shared.places].split(shared.rows), answers.split(shared.rows), strict=True)
    for first, weight, answer in of_prompts:
        at_once = weight.transpose(0, 1).flatten(1, 2) @ values[first, :, : shared.places]
        answer.add_(at_once.unflatten(1, weight.shape[::2]).transpose(0, 1))
    return answers
