"""Read prompts that begin alike once, up to where they part, and then only what each goes on with.

Of rows that ask the same about the same pictures, and differ in what is put into the model's mouth, the longest is the
*trunk*: it is read whole, pictures included. Every other row takes over the trunk's keys and values for the tokens they
share, and reads its own from there. Behind the trunk's places stand those of the own tokens, at the right; what does
not count in between is masked, so logits are those of reading each row by itself, up to rounding.

Left out: rows that share a beginning but not their pictures, and a trunk that shares with another.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from transformers import GenerationConfig, PreTrainedModel
from transformers.cache_utils import Cache, DynamicLayer

from vlm_grpo.adapters.renamed import cache_name
from vlm_grpo.decoding.pictures import Pictures
from vlm_grpo.decoding.prefill import prefill
from vlm_grpo.decoding.prompts import DistinctPrompts

LEAST_WIDTH = 8
"""Rows with up to so many own tokens are read together; others with those of up to twice, four times … as many."""


@dataclass(frozen=True)
class Trunks:
    """`first` is the row of each trunk, `of_row` the trunk of each row, `shared` how many tokens the row takes from it.

    Each row has at least one token of its own, the trunk's row too.
    """

    first: list[int]
    of_row: list[int]
    shared: list[int]

    @property
    def spares(self) -> bool:
        """Whether any two rows share one."""
        return len(self.first) < len(self.of_row)


@dataclass(frozen=True)
class Reading:
    """What reading B rows leaves behind.

    Attributes:
        logits: (B, V) after each row's last token.
        cache: keys and values (B, heads, places, width) a layer.
        mask: (B, places) 0 at places that do not count.
        positions: (B,) or (3, B) that of the next token.
    """

    logits: torch.Tensor
    cache: Cache
    mask: torch.Tensor
    positions: torch.Tensor


def trunks_of(prompts: Sequence[Sequence[int]], groups: Sequence[Hashable]) -> Trunks:
    """The trunks of `prompts`, token ids without padding; rows of one of `groups` show the same pictures.

    Rows of a group must not part before the last token that stands for a picture.
    """
    first: dict[Hashable, int] = {}
    for row, group in enumerate(groups):
        if group not in first or len(prompts[row]) > len(prompts[first[group]]):
            first[group] = row
    order = {group: place for place, group in enumerate(first)}
    shared = [
        min(_in_common(prompts[row], prompts[first[group]]), len(prompts[row]) - 1) for row, group in enumerate(groups)
    ]
    return Trunks(list(first.values()), [order[group] for group in groups], shared)


def read_trunks(
    model: PreTrainedModel,
    input_ids: torch.Tensor,
    config: GenerationConfig,
    model_kwargs: dict[str, Any],
    *,
    trunks: Trunks,
    pictures: Pictures,
) -> Reading:
    """Read the rows `input_ids` (B, P), padded at the left, over their `trunks`."""
    distinct = DistinctPrompts(trunks.first, trunks.of_row)
    prompts = prefill(model, input_ids, config, model_kwargs, distinct=distinct, pictures=pictures)
    begun = prompts[cache_name(model.forward)]
    device = input_ids.device
    of_row, shared = torch.tensor(trunks.of_row, device=device), torch.tensor(trunks.shared, device=device)
    trunk_row = torch.tensor(trunks.first, device=device)[of_row]
    mask = model_kwargs["attention_mask"]  # None where no row is padded
    rows, width = input_ids.shape
    lengths = torch.full((rows,), width, device=device) if mask is None else mask.sum(dim=1)
    begin = input_ids.shape[1] - lengths[trunk_row]
    places = torch.arange(input_ids.shape[1], device=device)
    counts = (places >= begin[:, None]) & (places < (begin + shared)[:, None])
    known = model_kwargs["position_ids"]
    following = (known[-3:] if known.ndim == 3 else known)[..., trunk_row, begin + shared - 1] + 1
    own = lengths - shared
    parting = _Parting(model, begun, of_row, counts, following, own)
    by_width: dict[int, list[int]] = {}
    for row, tokens in enumerate(own.tolist()):
        by_width.setdefault(max(LEAST_WIDTH, 1 << (tokens - 1).bit_length()), []).append(row)
    for alike in by_width.values():
        parting.read(input_ids, torch.tensor(alike, device=device))
    return parting.reading()


class _Parting:
    """Reads the own tokens of rows behind their trunks' places.

    Args:
        begun: keys and values of the N trunks.
        of_row: (B,) the trunk of each row.
        counts: (B, P) which of its trunk's places a row takes over.
        following: (B,) or (3, B) the position of each row's first own token.
        own: (B,) own tokens.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        begun: Cache,
        of_row: torch.Tensor,
        counts: torch.Tensor,
        following: torch.Tensor,
        own: torch.Tensor,
    ) -> None:
        self._tower, self._head = model.get_decoder(), model.get_output_embeddings()
        self._placeholder = getattr(model.config, "image_token_id", None)
        self._begun, self._of_row, self._counts, self._following, self._own = begun, of_row, counts, following, own
        self._longest = int(own.max())
        self._pairs = [
            tuple(F.pad(part[of_row], (0, 0, 0, self._longest)) for part in (layer.keys, layer.values))
            for layer in begun.layers
        ]
        self._logits: torch.Tensor | None = None

    def read(self, input_ids: torch.Tensor, rows: torch.Tensor) -> None:
        """Read the own tokens of `rows` (n,), the last ones of `input_ids` (B, P)."""
        own, trunk = self._own[rows], self._of_row[rows]
        width, end = int(own.max()), self._counts.shape[1]
        at = torch.arange(width, device=rows.device) - (width - own[:, None])
        is_own = at >= 0
        ids = input_ids[rows, -width:]
        assert not (is_own & (ids == self._placeholder)).any(), "rows part before their last picture"
        positions = self._following[..., rows, None] + at.clamp(min=0)
        causal = torch.ones(width, width, dtype=torch.bool, device=rows.device).tril()
        seen = torch.cat([self._counts[rows, None].expand(-1, width, -1), is_own[:, None] & causal], dim=2)
        cache = _cache((layer.keys[trunk], layer.values[trunk]) for layer in self._begun.layers)
        read = self._tower(
            input_ids=ids,
            attention_mask=self._mask_form(seen[:, None], cache.layers[0].keys.dtype),
            position_ids=positions,
            use_cache=True,
            **{cache_name(self._tower.forward): cache},
        )
        for pair, layer in zip(self._pairs, cache.layers, strict=True):
            for whole, part in zip(pair, (layer.keys, layer.values), strict=True):
                whole[rows, :, -width:] = part[:, :, end:]
        logits = self._head(read.last_hidden_state[:, -1]).float()
        if self._logits is None:
            self._logits = logits.new_empty(len(self._own), logits.shape[1])
        self._logits[rows] = logits

    def reading(self) -> Reading:
        """What is there once all rows were read."""
        assert self._logits is not None
        is_own = torch.arange(self._longest, 0, -1, device=self._own.device) <= self._own[:, None]
        mask = torch.cat([self._counts, is_own], dim=1).long()
        return Reading(self._logits, _cache(self._pairs), mask, self._following + self._own)

    def _mask_form(self, seen: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """`seen` (n, 1, tokens, places) as the model's attention takes it: boolean, or added to scores."""
        if self._tower.config._attn_implementation != "eager":
            return seen
        return torch.zeros_like(seen, dtype=dtype).masked_fill_(~seen, torch.finfo(dtype).min)


def _cache(pairs: Iterable[tuple[torch.Tensor, ...]]) -> Cache:
    layers = []
    for keys, values in pairs:
        layer = DynamicLayer()
        layer.keys, layer.values, layer.is_initialized = keys, values, True
        layer.dtype, layer.device = keys.dtype, keys.device
        layers.append(layer)
    return Cache(layers=layers)


def _in_common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both begin with."""
    shorter = min(len(one), len(other))
    return next((place for place in range(shorter) if one[place] != other[place]), shorter)
