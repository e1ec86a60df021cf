"""A batch with one entry a row in every picture field, to be shuffled and cut, and put together again."""

from typing import Any

import torch
from trl.trainer.utils import split_pixel_values_by_grid, unsplit_pixel_values_by_grid

from vlm_grpo.decoding.pictures import FIELDS, by_row, is_foreign


def rows_apart(batch: dict[str, Any]) -> dict[str, Any]:
    """`batch` with one entry a row in every picture field, ready to be shuffled and cut by rows.

    TRL's own does this too, but takes a padded row for a picture where a batch has as many pictures as rows.
    """
    if is_foreign(batch):
        apart: dict[str, Any] = split_pixel_values_by_grid(batch)
        return apart
    shown = by_row(batch, batch.get("num_images"))
    return batch | shown.apart() if shown.patches else batch


def rows_together(rows: dict[str, Any]) -> dict[str, Any]:
    """Some of the rows that `rows_apart` laid out, as the model's forward takes them; without fields of no picture."""
    if is_foreign(rows):
        together: dict[str, Any] = unsplit_pixel_values_by_grid(rows)
        return together
    if not any(rows.get("num_images") or ()):
        return {name: value for name, value in rows.items() if name not in FIELDS}
    apart = {name: value for name, value in rows.items() if name in FIELDS and isinstance(value, list)}
    return rows | {name: torch.cat(value) for name, value in apart.items()}
