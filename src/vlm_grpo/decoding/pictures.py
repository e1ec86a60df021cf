"""The pictures of a batch as the processor lays them out, row by row.

Qwen's are patches of all rows in one tensor (`pixel_values` (patches, values), `image_grid_thw` (images, 3)); those of
Idefics3 and SmolVLM are tiles, padded to a row each (`pixel_values` (rows, tiles, channels, height, width),
`pixel_attention_mask` (rows, tiles, height, width)); InternVL's are the tiles of all rows in one tensor (`pixel_values`
(tiles, channels, height, width)), LLaVA's the same with one tile a picture. Layouts with further fields are TRL's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice, pairwise
from typing import Any

import numpy as np
import torch

FIELDS = ("pixel_values", "image_grid_thw", "pixel_attention_mask")
FOREIGN = ("image_sizes", "image_position_ids", "spatial_shapes")
"""Fields of layouts that are not known here."""
TILES = "num_tiles"
"""How many entries of one tensor of tiles belong to each row: TRL's name. Without it there is one a picture."""
TILE, PADDED = 3, 5
"""Dimensions of a tile, and of `pixel_values` that are padded to a row each."""


@dataclass(frozen=True)
class Pictures:
    """`fields` as the model's forward takes them, and whose they are.

    `counts` says how many pictures each row shows (None: not known). Where pictures are not padded to a row each,
    `images` are the ranges of each row's pictures, or tiles, and `patches` those of their entries in `pixel_values`.
    """

    fields: dict[str, torch.Tensor]
    counts: Sequence[int] | None
    images: list[slice]
    patches: list[slice]

    def narrow(self, rows: Sequence[int]) -> dict[str, torch.Tensor]:
        """The fields of `rows` in that order; empty when these rows show nothing."""
        if not self.fields or (self.counts is not None and not any(self.counts[row] for row in rows)):
            return {}
        if not self.patches:
            return {name: value[list(rows)] for name, value in self.fields.items()}
        ranges = self._ranges()
        return {name: torch.cat([value[ranges[name][row]] for row in rows]) for name, value in self.fields.items()}

    def apart(self) -> dict[str, list[torch.Tensor]]:
        """The fields with one entry a row; of pictures that are not padded to a row each."""
        ranges = self._ranges()
        return {name: [value[of_row] for of_row in ranges[name]] for name, value in self.fields.items()}

    def are_equal(self, pairs: Sequence[tuple[int, int]], *, offset: int = 0) -> list[bool]:
        """For each of two rows whether they show the same pictures, value for value; rows are counted from `offset`.

        One look at the device for all `pairs`.
        """
        ranges = self._ranges()

        def entries(row: int) -> list[torch.Tensor]:
            return [value[ranges[name][row] if self.patches else row] for name, value in self.fields.items()]

        rows = [(offset + one, offset + other) for one, other in pairs]
        as_many = [self.counts is None or self.counts[one] == self.counts[other] for one, other in rows]
        same = iter(equal([both for pair in rows for both in zip(*map(entries, pair), strict=True)]))
        return [all([many, *islice(same, len(self.fields))]) for many in as_many]

    def _ranges(self) -> dict[str, list[slice]]:
        return {"pixel_values": self.patches, "image_grid_thw": self.images}


def by_row(fields: Mapping[str, Any], num_images: Sequence[int] | None) -> Pictures:
    """`fields` (arrays, None where absent) with the rows they belong to; `num_images` counts each row's.

    Where a row's pictures are several tiles in one tensor, `fields` hold `TILES`, or `num_images` are `counts_of`.
    """
    present = {name: _tensor(value) for name in FIELDS if (value := fields.get(name)) is not None}
    if num_images is None or not present or present["pixel_values"].ndim == PADDED:
        return Pictures(present, num_images, images=[], patches=[])
    images = _ranges(num_images)
    if "image_grid_thw" not in present:
        tiles = images if fields.get(TILES) is None else _ranges(fields[TILES])
        return Pictures(present, num_images, images=tiles, patches=tiles)
    patches = present["image_grid_thw"].prod(-1).tolist()
    return Pictures(present, num_images, images=images, patches=_ranges([sum(patches[row]) for row in images]))


def counts_of(
    prompts: Iterable[Sequence[int]], pixels: Any, num_images: Sequence[int] | None, *, placeholder: int
) -> Sequence[int] | None:
    """What `by_row` counts by: `num_images`, or each prompt's tiles where `pixels` are the tiles of all in one tensor.

    All tiles become equally many tokens `placeholder`, so a prompt has as large a share of the tiles as of the tokens.
    """
    if pixels is None or len(pixels[0].shape) != TILE:
        return num_images
    tokens = [list(prompt).count(placeholder) for prompt in prompts]
    length = sum(tokens) // len(pixels)
    assert length * len(pixels) == sum(tokens), f"{len(pixels)} tiles for {sum(tokens)} picture tokens"
    return [count // length for count in tokens]


def is_foreign(batch: Mapping[str, Any]) -> bool:
    """Whether the pictures of `batch` are laid out in a way that is not known here."""
    return any(batch.get(name) is not None for name in FOREIGN)


def _ranges(lengths: Sequence[int]) -> list[slice]:
    return [slice(start, stop) for start, stop in pairwise(accumulate(lengths, initial=0))]


def _tensor(value: Any) -> torch.Tensor:
    return value if isinstance(value, torch.Tensor) else torch.as_tensor(np.asarray(value))


def equal(pairs: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> list[bool]:
    """Whether the two tensors of each pair are equal, all on one device; one look at it for all pairs."""
    if not pairs or pairs[0][0].device.type == "cpu":
        return [torch.equal(one, other) for one, other in pairs]
    return equal_at_one_look(pairs)


def equal_at_one_look(pairs: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> list[bool]:
    """As `equal`, on any device: all comparisons are asked for before the host waits for the first."""
    no = pairs[0][0].new_zeros((), dtype=torch.bool)
    same: list[bool] = torch.stack(
        [(one == other).all() if one.shape == other.shape else no for one, other in pairs]
    ).tolist()
    return same
