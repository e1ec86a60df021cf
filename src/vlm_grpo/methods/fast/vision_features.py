"""Encode each distinct picture once, while the vision tower is frozen.

`reuse_features` stands before the backbone's `get_image_features`, the one method through which rollouts, old,
reference and policy passes reach the tower. Pictures already seen come from a cache; of the others each distinct one is
encoded once, without gradient, so autograd never walks the frozen tower (with gradient checkpointing TRL makes the
patch embedding's output require one, and it would). The cache is bounded and may span epochs: its key is the content of
the processed pixels, which holds the picture and the processor's settings alike. It is never saved: what it holds can
be encoded again.

The tower runs in the precision that is scored, whoever calls it, so that a picture is encoded once and the policy
samples from the features that it learns with.

Left out: towers that train (their features change with every step) and parameters sharded over processes (ZeRO-3,
FSDP), where processes would have to encode in step.
"""

import functools
import inspect
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.utils import ModelOutput

from vlm_grpo.adapters.precision import autocast_dtype
from vlm_grpo.decoding.pictures import equal
from vlm_grpo.methods.fast.fingerprint import fingerprint

LANGUAGE_TOWERS = ("language_model.", "text_model.")
Features = tuple[torch.Tensor, ...]
"""What the tower says of one picture: (tokens, width), and one more of that shape for each deepstack layer."""


def tower_trains(backbone: PreTrainedModel) -> bool:
    """True when a parameter outside the language tower is trained, LoRA's included."""
    return any(p.requires_grad for name, p in backbone.named_parameters() if not name.startswith(LANGUAGE_TOWERS))


@dataclass
class FeatureCache:
    """Features by picture, the least recently used dropped first when they exceed `limit` bytes.

    `encoded` counts the pictures that went through the tower, `reused` those that did not have to. `output` is how the
    tower dresses its features; known once it has encoded a picture.
    """

    limit: int
    encoded: int = 0
    reused: int = 0
    output: Any = None
    _kept: OrderedDict[Hashable, Features] = field(default_factory=OrderedDict)
    _bytes: int = 0

    def collect(self, keys: Sequence[Hashable], encode: Callable[[int], Features]) -> list[Features]:
        """The features of each picture of `keys`; `encode` is given the position of each distinct unknown one.

        One at a time, so that a picture's features do not depend on its neighbours, not even in rounding: a resumed
        run, whose cache is empty, goes on as the undisturbed one would.
        """
        by_key: dict[Hashable, Features] = {}
        for position, key in enumerate(keys):
            if key in by_key:
                self.reused += 1
            elif key in self._kept:
                by_key[key] = self._kept[key]
                self.reused += 1
            else:
                by_key[key] = encode(position)
                self.encoded += 1
        for key, features in by_key.items():
            self._keep(key, features)
        return [by_key[key] for key in keys]

    def clear(self) -> None:
        """Forget all features."""
        self._kept.clear()
        self._bytes = 0

    def _keep(self, key: Hashable, features: Features) -> None:
        if key not in self._kept:
            self._bytes += _size(features)
        self._kept[key] = features
        self._kept.move_to_end(key)
        while self._bytes > self.limit:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= _size(dropped)


def reuse_features(
    backbone: PreTrainedModel, *, limit: int, precision: Callable[[], AbstractContextManager[Any]]
) -> FeatureCache:
    """Make `backbone` encode each distinct picture once, keeping at most `limit` bytes of features.

    `precision` opens the context in which the tower runs, whatever its caller's: the trainer's `autocast`.

    Pictures come as flat patches with `image_grid_thw` (Qwen), as tiles (rows, tiles, channels, height, width) with
    `pixel_attention_mask` (Idefics3, SmolVLM) or as tiles (tiles, channels, height, width) alone (InternVL).
    """
    assert not tower_trains(backbone), "the features of a tower that trains cannot be reused"
    cache = FeatureCache(limit)
    encode = backbone.get_image_features
    layout = list(inspect.signature(encode).parameters)[1]
    collect: Callable[..., ModelOutput] = COLLECT.get(layout, _collect_flat_tiles)

    @functools.wraps(encode)
    def get_image_features(pixel_values: torch.Tensor, *rest: Any, **named: Any) -> ModelOutput:
        with torch.no_grad(), precision():
            return collect(cache, encode, pixel_values, rest[0] if rest else named.get(layout))

    backbone.get_image_features = get_image_features
    return cache


def _collect_patches(cache: FeatureCache, encode: Any, pixels: torch.Tensor, grid: torch.Tensor) -> ModelOutput:
    pieces = pixels.split(grid.prod(-1).tolist())

    def encode_one(position: int) -> Features:
        raw = cache.output = encode(pieces[position], grid[position : position + 1], return_dict=True)
        return (raw.pooler_output[0], *(_whole(layer) for layer in getattr(raw, "deepstack_features", None) or ()))

    keys = [(key, *shape) for key, shape in zip(_keys(pieces), grid.tolist(), strict=True)]
    pooled, *layers = zip(*cache.collect(keys, encode_one), strict=True)
    if not layers:
        return type(cache.output)(pooler_output=list(pooled))
    in_one = isinstance(cache.output.deepstack_features[0], torch.Tensor)
    deepstack = [torch.cat(layer) if in_one else list(layer) for layer in layers]
    return type(cache.output)(pooler_output=list(pooled), deepstack_features=deepstack)


def _whole(layer: torch.Tensor | list[torch.Tensor]) -> torch.Tensor:
    """One picture's (tokens, width) of a deepstack layer, one tensor of all pictures in transformers 5.17."""
    return layer if isinstance(layer, torch.Tensor) else layer[0]


def _collect_tiles(cache: FeatureCache, encode: Any, pixels: torch.Tensor, mask: torch.Tensor | None) -> ModelOutput:
    is_real = pixels.flatten(2).any(-1)
    if not is_real.any():
        return encode(pixels, mask, return_dict=True)
    tiles = pixels[is_real]
    masks = None if mask is None else mask[is_real]

    def encode_one(position: int) -> Features:
        mask = None if masks is None else masks[position][None, None]
        raw = cache.output = encode(tiles[position][None, None], mask, return_dict=True)
        return (raw.pooler_output[0],)

    keys = _keys(tiles) if masks is None else list(zip(_keys(tiles), _keys(masks), strict=True))
    pooled = [features for (features,) in cache.collect(keys, encode_one)]
    if isinstance(cache.output.pooler_output, torch.Tensor):
        return _dress(cache.output, torch.stack(pooled))
    empty = pooled[0][:0]
    of_row = iter(pooled)
    rows = [torch.cat([empty, *(next(of_row) for _ in range(count))]) for count in is_real.sum(1).tolist()]
    return _dress(cache.output, rows)


def _collect_flat_tiles(cache: FeatureCache, encode: Any, pixels: torch.Tensor, _: None) -> ModelOutput:
    def encode_one(position: int) -> Features:
        raw = cache.output = encode(pixels[position][None], return_dict=True)
        return (raw.pooler_output[0],)

    pooled = torch.stack([features for (features,) in cache.collect(_keys(pixels), encode_one)])
    return _dress(cache.output, pooled)


COLLECT = {"image_grid_thw": _collect_patches, "pixel_attention_mask": _collect_tiles}
"""By the second parameter of `get_image_features`."""


def _dress(like: ModelOutput, pooled: Any) -> ModelOutput:
    """`pooled` as an attribute, as the stock method returns it: not every output has a field of that name."""
    output = type(like)()
    output.pooler_output = pooled
    return output


def _keys(pieces: Sequence[torch.Tensor] | torch.Tensor) -> list[Hashable]:
    """A key for each piece; neighbours, which in a group are equal, are compared before they are hashed."""
    as_before = [False, *equal(list(pairwise(pieces)))]
    keys: list[Hashable] = []
    for piece, is_as_before in zip(pieces, as_before, strict=True):
        keys.append(keys[-1] if is_as_before else _key(piece))
    return keys


def _key(piece: torch.Tensor) -> Hashable:
    return (*fingerprint(piece), autocast_dtype(piece.device))


def _size(features: Features) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in features)
