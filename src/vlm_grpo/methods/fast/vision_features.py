"""Encode each distinct picture once, while the vision tower is frozen.

`reuse_features` stands before the backbone's `get_image_features`, the one method through which rollouts, old,
reference and policy passes reach the tower. Pictures already seen come from a cache; of the others each distinct one is
encoded once, without gradient, so autograd never walks the frozen tower (with gradient checkpointing TRL makes the
patch embedding's output require one, and it would). The cache is bounded and may span epochs: its key is the content of
the processed pixels, which holds the picture and the processor's settings alike. It is never saved: what it holds can
be encoded again, with the same bits, since `pictures_a_call` alone says how many pictures of a shape pass together.

The tower runs in the precision that is scored, whoever calls it, so that a picture is encoded once and the policy
samples from the features that it learns with.

Left out: towers that train (their features change with every step) and parameters sharded over processes (ZeRO-3,
FSDP), where processes would have to encode in step.
"""

import functools
import inspect
import math
from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.utils import ModelOutput

from vlm_grpo.adapters.precision import autocast_dtype
from vlm_grpo.decoding.pictures import equal
from vlm_grpo.methods.fast.feature_cache import Call, FeatureCache, Features
from vlm_grpo.methods.fast.fingerprint import fingerprint

LANGUAGE_TOWERS = ("language_model.", "text_model.")
PATCHES_A_CALL = 8192
PICTURES_A_CALL = 8


def tower_trains(backbone: PreTrainedModel) -> bool:
    """True when a parameter outside the language tower is trained, LoRA's included."""
    return any(p.requires_grad for name, p in backbone.named_parameters() if not name.startswith(LANGUAGE_TOWERS))


def pictures_a_call(device: torch.device, patches: int) -> int:
    """How many pictures, or tiles, of `patches` patches pass the tower in each call on `device`: a power of two.

    On a GPU launching kernels is taken to bind a call of up to `PATCHES_A_CALL` patches, so that more pictures, also
    those that fill it up, come at little cost; on a CPU arithmetic binds, and there is nothing to share. Nothing else
    may decide: a resumed run must find the same number.
    """
    if device.type != "cuda":
        return 1
    fitting = max(1, PATCHES_A_CALL // patches)
    return min(PICTURES_A_CALL, 1 << (fitting.bit_length() - 1))


@dataclass(frozen=True)
class _Tower:
    """The stock `get_image_features`, the pixels of one patch of a tile, and the features that are known."""

    encode: Callable[..., ModelOutput]
    patch_area: int
    cache: FeatureCache


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
    stock = backbone.get_image_features
    layout = list(inspect.signature(stock).parameters)[1]
    collect: Callable[..., ModelOutput] = COLLECT.get(layout, _collect_flat_tiles)
    patch = backbone.config.vision_config.patch_size
    tower = _Tower(stock, math.prod(patch) if isinstance(patch, Sequence) else patch**2, cache)

    @functools.wraps(stock)
    def get_image_features(pixel_values: torch.Tensor, *rest: Any, **named: Any) -> ModelOutput:
        with torch.no_grad(), precision():
            return collect(tower, pixel_values, rest[0] if rest else named.get(layout))

    backbone.get_image_features = get_image_features
    return cache


def _collect_patches(tower: _Tower, pixels: torch.Tensor, grid: torch.Tensor) -> ModelOutput:
    shapes: list[tuple[int, ...]] = [tuple(shape) for shape in grid.tolist()]
    pieces = pixels.split([math.prod(shape) for shape in shapes])
    cache = tower.cache

    def encode(positions: Sequence[int]) -> list[Features]:
        count = len(positions)
        together = torch.cat([pieces[position] for position in positions])
        raw = cache.output = tower.encode(together, grid[positions[0]].repeat(count, 1), return_dict=True)
        layers = [_by_picture(layer, count) for layer in getattr(raw, "deepstack_features", None) or ()]
        return list(zip(raw.pooler_output, *layers, strict=True))

    keys = [(key, *shape) for key, shape in zip(_keys(pieces), shapes, strict=True)]
    calls = [Call(shape, pictures_a_call(pixels.device, math.prod(shape))) for shape in shapes]
    pooled, *layers = zip(*cache.collect(keys, calls, encode), strict=True)
    if not layers:
        return type(cache.output)(pooler_output=list(pooled))
    in_one = isinstance(cache.output.deepstack_features[0], torch.Tensor)
    deepstack = [torch.cat(layer) if in_one else list(layer) for layer in layers]
    return type(cache.output)(pooler_output=list(pooled), deepstack_features=deepstack)


def _by_picture(layer: torch.Tensor | Sequence[torch.Tensor], count: int) -> Sequence[torch.Tensor]:
    """(tokens, width) of a deepstack layer for each of `count` equal pictures, which transformers 5.17 has in one."""
    return layer.chunk(count) if isinstance(layer, torch.Tensor) else layer


def _collect_tiles(tower: _Tower, pixels: torch.Tensor, mask: torch.Tensor | None) -> ModelOutput:
    is_real = pixels.flatten(2).any(-1)
    if not is_real.any():
        return tower.encode(pixels, mask, return_dict=True)
    tiles = pixels[is_real]
    masks = None if mask is None else mask[is_real]
    cache = tower.cache

    def encode(positions: Sequence[int]) -> list[Features]:
        some, their_masks = (
            None if of_all is None else torch.stack([of_all[position] for position in positions])[:, None]
            for of_all in (tiles, masks)
        )
        raw = cache.output = tower.encode(some, their_masks, return_dict=True)
        return [(features,) for features in raw.pooler_output]

    of_masks: list[Hashable] = [None] * len(tiles) if masks is None else _keys(masks)
    keys = list(zip(_keys(tiles), of_masks, strict=True))
    pooled = [features for (features,) in cache.collect(keys, _calls(tower, tiles, of_masks), encode)]
    if isinstance(cache.output.pooler_output, torch.Tensor):
        return _dress(cache.output, torch.stack(pooled))
    empty = pooled[0][:0]
    of_row = iter(pooled)
    rows = [torch.cat([empty, *(next(of_row) for _ in range(count))]) for count in is_real.sum(1).tolist()]
    return _dress(cache.output, rows)


def _collect_flat_tiles(tower: _Tower, pixels: torch.Tensor, _: None) -> ModelOutput:
    cache = tower.cache

    def encode(positions: Sequence[int]) -> list[Features]:
        raw = cache.output = tower.encode(torch.stack([pixels[position] for position in positions]), return_dict=True)
        return [(features,) for features in raw.pooler_output]

    calls = _calls(tower, pixels, [None] * len(pixels))
    pooled = torch.stack([features for (features,) in cache.collect(_keys(pixels), calls, encode)])
    return _dress(cache.output, pooled)


COLLECT = {"image_grid_thw": _collect_patches, "pixel_attention_mask": _collect_tiles}
"""By the second parameter of `get_image_features`."""


def _calls(tower: _Tower, tiles: torch.Tensor, masks: Sequence[Hashable]) -> list[Call]:
    """The call of each tile; one without a full mask stays apart: with it other kernels would serve all."""
    pictures = pictures_a_call(tiles.device, math.prod(tiles.shape[-2:]) // tower.patch_area)
    return [Call((tiles.shape[1:], mask), pictures) for mask in masks]


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
