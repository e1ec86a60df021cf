"""The pictures of a batch as the processor lays them out, row by row.

Qwen's are patches of all rows in one tensor (`pixel_values` (patches, values), `image_grid_thw` (images, 3)); those of
Idefics3 and SmolVLM are tiles, padded to a row each (`pixel_values` (rows, tiles, channels, height, width),
`pixel_attention_mask` (rows, tiles, height, width)).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import torch

FIELDS = ("pixel_values", "image_grid_thw", "pixel_attention_mask")


@dataclass(frozen=True)
class Pictures:
    """`fields` as the model's forward takes them, `images` and `patches` the ranges of each row in Qwen's layout."""

    fields: dict[str, torch.Tensor]
    images: list[slice]
    patches: list[slice]

    def narrow(self, rows: Sequence[int]) -> dict[str, torch.Tensor]:
        """The fields of `rows` in that order; empty when these rows show nothing."""
        if not self.fields:
            return {}
        if not self.patches:
            return {name: value[list(rows)] for name, value in self.fields.items()}
        pixels, grid = self.fields["pixel_values"], self.fields["image_grid_thw"]
        shown = [row for row in rows if self.images[row].stop > self.images[row].start]
        if not shown:
            return {}
        return {
            "pixel_values": torch.cat([pixels[self.patches[row]] for row in shown]),
            "image_grid_thw": torch.cat([grid[self.images[row]] for row in shown]),
        }

    def are_equal(self, one: int, other: int, *, offset: int = 0) -> bool:
        """True when two rows show the same pictures, down to the last bit; rows are counted from `offset`."""
        here, there = self.narrow([offset + one]), self.narrow([offset + other])
        return here.keys() == there.keys() and all(torch.equal(here[name], there[name]) for name in here)


def by_row(fields: Mapping[str, Any], num_images: Sequence[int] | None) -> Pictures:
    """`fields` (arrays, None where absent) with the rows they belong to; `num_images` counts each row's."""
    present = {name: _tensor(value) for name in FIELDS if (value := fields.get(name)) is not None}
    if "image_grid_thw" not in present or num_images is None:
        return Pictures(present, images=[], patches=[])
    images = _ranges(num_images)
    patches = present["image_grid_thw"].prod(-1).tolist()
    return Pictures(present, images=images, patches=_ranges([sum(patches[row]) for row in images]))


def _ranges(lengths: Sequence[int]) -> list[slice]:
    return [slice(start, stop) for start, stop in pairwise(accumulate(lengths, initial=0))]


def _tensor(value: Any) -> torch.Tensor:
    return value if isinstance(value, torch.Tensor) else torch.as_tensor(np.asarray(value))
