"""The fixed places that decoding writes to: keys and values, token ids, positions and mask of up to `rows` rows.

Nothing here grows or moves while a batch is decoded, so that a step captured once can be replayed for every token. The
keys and values of a smaller batch or a shorter length are a corner of the same memory: one storage serves all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer

from vlm_grpo.decoding.shared_keys import SharedKeys


class Slot(DynamicLayer):
    """One layer's keys and values, (rows, heads, length, width); the next token's go to place `at`."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, at: torch.Tensor) -> None:
        super().__init__()
        self.keys, self.values, self.at, self.is_initialized = keys, values, at, True

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any) -> Any:
        """Write the token's keys and values, (rows, heads, 1, width); return those of all places."""
        self.keys.index_copy_(2, self.at, key_states)
        self.values.index_copy_(2, self.at, value_states)
        return self.keys, self.values

    def get_seq_length(self) -> int:
        """0: positions and mask are explicit, nobody may count."""
        return 0


@dataclass(frozen=True)
class Window:
    """What one step reads and writes: a corner of the slots.

    Attributes:
        ids: (rows, 1) the tokens to step on.
        positions: (rows, 1), or (3, rows, 1) of a model with three-row rotary positions.
        cache: a `Slot` a layer, and which rows share a prompt's.
        mask: (rows, 1, 1, length) in the form of the model's attention; None where every place counts.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    cache: "SlotCache"
    mask: torch.Tensor | None


class SlotCache(Cache):
    """`layers`, one a layer of the tower; `shared` says which rows may read one prompt's places, None: none."""

    def __init__(self, layers: list[Slot], shared: SharedKeys | None) -> None:
        super().__init__(layers=layers)
        self.shared = shared


class Slots:
    """Storage for `rows` rows of `length` tokens, shaped like the `prompts`' cache.

    `positions` are those of the token after each prompt, (N,) or (3, N); `mask` is the mask's dtype, its value at
    places that count and that at those that do not.
    """

    def __init__(
        self, prompts: Cache, positions: torch.Tensor, *, rows: int, length: int, mask: tuple[torch.dtype, Any, Any]
    ) -> None:
        dtype, self._counts, self._ignored = mask
        device = positions.device
        self.rows, self.length = rows, length
        self._storage = [(_room(keys, rows, length), _room(values, rows, length)) for keys, values in _pairs(prompts)]
        self._at = torch.zeros(1, dtype=torch.long, device=device)
        self._ids = torch.zeros(rows, 1, dtype=torch.long, device=device)
        self._positions = torch.zeros(*positions.shape[:-1], rows, 1, dtype=torch.long, device=device)
        self._mask = torch.full((rows, 1, 1, length), self._ignored, dtype=dtype, device=device)

    @property
    def bytes(self) -> int:
        """Memory of the keys and values."""
        return sum(part.numel() * part.element_size() for pair in self._storage for part in pair)

    def fits(self, prompts: Cache, *, rows: int, length: int) -> bool:
        """Whether a batch of that size, with such prompts, can be decoded here."""
        return (rows <= self.rows and length <= self.length) and all(
            part.shape[1::2] == theirs.shape[1::2] and part.dtype == theirs.dtype and part.device == theirs.device
            for pair, others in zip(self._storage, _pairs(prompts), strict=True)
            for part, theirs in zip(pair, others, strict=True)
        )

    def fill(
        self, prompts: Cache, positions: torch.Tensor, mask: torch.Tensor | None, *, prompt_of_row: torch.Tensor
    ) -> None:
        """Copy each row's prompt in; row i continues prompt `prompt_of_row[i]`, `mask` is (N, P), 0 at padding."""
        rows = len(prompt_of_row)
        for pair, theirs in zip(self._storage, _pairs(prompts), strict=True):
            for part, prompt in zip(pair, theirs, strict=True):
                tokens = prompt.shape[2]
                part[:rows, :, :tokens].copy_(prompt[prompt_of_row])
        self._at.fill_(tokens)
        self._positions[..., :rows, 0].copy_(positions[..., prompt_of_row])
        self._mask.fill_(self._ignored)
        self._mask[:rows, ..., :tokens] = self._counts
        if mask is not None:
            self._mask[:rows, 0, 0, :tokens].masked_fill_(mask[prompt_of_row] == 0, self._ignored)

    def put(self, tokens: torch.Tensor) -> None:
        """The next step's `tokens`, (n,); further rows keep what they have."""
        self._ids[: len(tokens), 0].copy_(tokens)
        self._mask.index_fill_(3, self._at, self._counts)

    def advance(self) -> None:
        """Go on to the next place, after a step."""
        self._at.add_(1)
        self._positions.add_(1)

    def keep(self, rows: torch.Tensor) -> None:
        """Move these rows to the front, in order; what was behind the last of them is given up."""
        count = len(rows)
        for part in (part for pair in self._storage for part in pair):
            part[:count].copy_(part[rows])
        self._mask[:count].copy_(self._mask[rows])
        self._positions[..., :count, :].copy_(self._positions[..., rows, :])

    def window(self, rows: int, length: int, *, masked: bool = True, shared: SharedKeys | None = None) -> Window:
        """The first `rows` rows and `length` places."""
        layers = [Slot(keys[:rows, :, :length], values[:rows, :, :length], self._at) for keys, values in self._storage]
        mask = self._mask[:rows, ..., :length] if masked else None
        return Window(self._ids[:rows], self._positions[..., :rows, :], SlotCache(layers, shared), mask)


def _pairs(cache: Cache) -> Sequence[tuple[torch.Tensor, torch.Tensor]]:
    return [(layer.keys, layer.values) for layer in cache.layers]


def _room(like: torch.Tensor, rows: int, length: int) -> torch.Tensor:
    """Zeros, as what lies at places that do not count is multiplied by 0, which a NaN would survive."""
    _, heads, _, width = like.shape
    return like.new_zeros(rows, heads, length, width)
