"""The pictures of a batch as the processor lays them out, row by row.

Qwen's are patches of all rows in one tensor (`pixel_values` (patches, values), `image_grid_thw` (images, 3)); those of
Idefics3 and SmolVLM are tiles, padded to a row each (`pixel_values` (rows, tiles, channels, height, width),
`pixel_attention_mask` (rows, tiles, height, width)); LLaVA's are one entry a picture (`pixel_values` (images, channels,
height, width)). Layouts with further fields are left to TRL.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import torch

FIELDS = ("pixel_values", "image_grid_thw", "pixel_attention_mask")
FOREIGN = ("image_sizes", "image_position_ids", "spatial_shapes", "num_tiles")
"""Fields of layouts that are not known here."""


PADDED = 5
"""Dimensions of `pixel_values` that are padded to a row each."""


@dataclass(frozen=True)
class Pictures:
    """`fields` as the model's forward takes them, and whose they are.

    `counts` says how many pictures each row shows (None: not known). Where pictures are not padded to a row each,
    `images` are the ranges of each row's pictures and `patches` those of their entries in `pixel_values`.
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

    def are_equal(self, one: int, other: int, *, offset: int = 0) -> bool:
        """True when two rows show the same pictures, down to the last bit; rows are counted from `offset`."""
        one, other = offset + one, offset + other
        if self.counts is not None and self.counts[one] != self.counts[other]:
            return False
        ranges = self._ranges()
        return all(
            torch.equal(value[ranges[name][one]], value[ranges[name][other]])
            if self.patches
            else torch.equal(value[one], value[other])
            for name, value in self.fields.items()
        )

    def _ranges(self) -> dict[str, list[slice]]:
        return {"pixel_values": self.patches, "image_grid_thw": self.images}


def by_row(fields: Mapping[str, Any], num_images: Sequence[int] | None) -> Pictures:
    """`fields` (arrays, None where absent) with the rows they belong to; `num_images` counts each row's."""
    present = {name: _tensor(value) for name in FIELDS if (value := fields.get(name)) is not None}
    if num_images is None or not present or present["pixel_values"].ndim == PADDED:
        return Pictures(present, num_images, images=[], patches=[])
    images = _ranges(num_images)
    if "image_grid_thw" not in present:
        return Pictures(present, num_images, images=images, patches=images)
    patches = present["image_grid_thw"].prod(-1).tolist()
    return Pictures(present, num_images, images=images, patches=_ranges([sum(patches[row]) for row in images]))


def is_foreign(batch: Mapping[str, Any]) -> bool:
    """Whether the pictures of `batch` are laid out in a way that is not known here."""
    return any(batch.get(name) is not None for name in FOREIGN)


def _ranges(lengths: Sequence[int]) -> list[slice]:
    return [slice(start, stop) for start, stop in pairwise(accumulate(lengths, initial=0))]


def _tensor(value: Any) -> torch.Tensor:
    return value if isinstance(value, torch.Tensor) else torch.as_tensor(np.asarray(value))
