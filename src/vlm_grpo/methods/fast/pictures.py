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
LAID_OUT = {*FIELDS, "num_images", "token_type_ids", "mm_token_type_ids"}
"""What a batch of these two layouts holds beside its tokens; all but `FIELDS` have one entry a row."""


@dataclass(frozen=True)
class Pictures:
    """`fields` as the model's forward takes them, and whose they are.

    `counts` says how many pictures each row shows (None: not known), `images` and `patches` are the ranges of each row
    in Qwen's layout.
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
        pixels, grid = self.fields["pixel_values"], self.fields["image_grid_thw"]
        return {
            "pixel_values": torch.cat([pixels[self.patches[row]] for row in rows]),
            "image_grid_thw": torch.cat([grid[self.images[row]] for row in rows]),
        }

    def are_equal(self, one: int, other: int, *, offset: int = 0) -> bool:
        """True when two rows show the same pictures, down to the last bit; rows are counted from `offset`."""
        here, there = self.narrow([offset + one]), self.narrow([offset + other])
        return here.keys() == there.keys() and all(torch.equal(here[name], there[name]) for name in here)


def by_row(fields: Mapping[str, Any], num_images: Sequence[int] | None) -> Pictures:
    """`fields` (arrays, None where absent) with the rows they belong to; `num_images` counts each row's."""
    present = {name: _tensor(value) for name in FIELDS if (value := fields.get(name)) is not None}
    if "image_grid_thw" not in present or num_images is None:
        return Pictures(present, num_images, images=[], patches=[])
    images = _ranges(num_images)
    patches = present["image_grid_thw"].prod(-1).tolist()
    return Pictures(present, num_images, images=images, patches=_ranges([sum(patches[row]) for row in images]))


def rows_apart(batch: dict[str, Any]) -> dict[str, Any]:
    """`batch` with one entry a row in every picture field, ready to be shuffled and cut by rows.

    TRL's own does this too, but takes a padded row for a picture where a batch has as many pictures as rows.
    """
    if "image_grid_thw" not in batch:
        return batch
    shown = by_row(batch, batch["num_images"])
    pixels, grid = shown.fields["pixel_values"], shown.fields["image_grid_thw"]
    return batch | {
        "pixel_values": [pixels[of_row] for of_row in shown.patches],
        "image_grid_thw": [grid[of_row] for of_row in shown.images],
    }


def rows_together(rows: dict[str, Any]) -> dict[str, Any]:
    """Some of the rows that `rows_apart` laid out, as the model's forward takes them; without fields of no picture."""
    if not any(rows.get("num_images") or ()):
        return {name: value for name, value in rows.items() if name not in FIELDS}
    apart = {name: value for name, value in rows.items() if name in FIELDS and isinstance(value, list)}
    return rows | {name: torch.cat(value) for name, value in apart.items()}


def _ranges(lengths: Sequence[int]) -> list[slice]:
    return [slice(start, stop) for start, stop in pairwise(accumulate(lengths, initial=0))]


def _tensor(value: Any) -> torch.Tensor:
    return value if isinstance(value, torch.Tensor) else torch.as_tensor(np.asarray(value))
