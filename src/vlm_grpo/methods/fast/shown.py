"""Hold a batch to the pictures that its rows were generated with, whatever shuffled, cut or saved it in between.

Two checks, cheap beside the pass that follows. A row holds as many placeholder tokens as its pictures have features,
those among them that an environment showed within the completion. And its pictures are those that it had when it was
generated: each row carries a mark, an exact sum over evenly spaced values of its pixels, which another picture shares
by chance only (about 2^-64).
"""

from typing import Any

import torch

from vlm_grpo.decoding.pictures import PADDED, Pictures, by_row, is_foreign
from vlm_grpo.errors import UserError
from vlm_grpo.methods.fast.fingerprint import numbers

MARKS = "picture_marks"
"""Name of the marks in a batch: (rows,) 64-bit integers, 0 where a row shows nothing."""
SAMPLES = 4096


def marks(pictures: Pictures, *, rows: int) -> torch.Tensor:
    """The mark of each of `rows` rows."""
    if not pictures.fields:
        return torch.zeros(rows, dtype=torch.int64)
    pixels = pictures.fields["pixel_values"]
    entries = pictures.patches or [slice(row, row + 1) for row in range(rows)]
    size = pixels[0].numel()
    ranges = [(of_row.start * size, (of_row.stop - of_row.start) * size) for of_row in entries]
    starts, lengths = torch.tensor(ranges, device=pixels.device).T[..., None]
    places = starts + torch.arange(SAMPLES, device=pixels.device) * lengths // SAMPLES
    words = pixels.reshape(-1)[places.clamp(max=pixels.numel() - 1)].float().view(torch.int32).to(torch.int64)
    shows = torch.tensor([count > 0 for count in pictures.counts or [1] * rows], device=pixels.device)
    return (words * numbers(SAMPLES, str(pixels.device))[0]).sum(1) * shows


def features(pictures: Pictures, config: Any, *, rows: int) -> torch.Tensor | None:
    """How many tokens the pictures of each of `rows` rows become in a model of that `config`; None: not known."""
    if not pictures.fields:
        return torch.zeros(rows, dtype=torch.int64)
    vision, pixels = config.vision_config, pictures.fields["pixel_values"]
    if "image_grid_thw" in pictures.fields:
        merged = vision.spatial_merge_size**2
        return torch.tensor([(of_row.stop - of_row.start) // merged for of_row in pictures.patches])
    if pixels.ndim != PADDED and not hasattr(config, "downsample_ratio"):
        return None
    if pixels.ndim != PADDED:
        patches = [side // patch for side, patch in zip(pixels.shape[-2:], vision.patch_size, strict=True)]
        of_tile = round(patches[0] * patches[1] * config.downsample_ratio**2)
        return torch.tensor([(of_row.stop - of_row.start) * of_tile for of_row in pictures.patches])
    height, width = (side // vision.patch_size for side in pixels.shape[-2:])
    return pixels.flatten(2).any(-1).sum(1) * (height * width // config.scale_factor**2)


def check_shown(batch: dict[str, Any], config: Any) -> None:
    """`UserError` where a row of `batch` is shown other pictures than it asks for; `config` is the model's.

    A batch that an earlier version saved has no marks, and is counted only; one of a layout that is not known here is
    left to TRL.
    """
    if is_foreign(batch):
        return
    prompts = batch["prompt_ids"]
    pictures = by_row(batch, batch.get("num_images"))
    shown = features(pictures, config, rows=len(prompts))
    if shown is not None:
        asked = sum((batch[ids] == config.image_token_id).sum(1) for ids in ("prompt_ids", "completion_ids"))
        for row, (tokens, needed) in enumerate(zip(asked.tolist(), shown.tolist(), strict=True)):
            if tokens != needed:
                raise UserError(_mixed_up(row, f"it holds {tokens} picture tokens, its pictures have {needed}"))
    if MARKS not in batch:
        return
    same = marks(pictures, rows=len(prompts)).cpu() == batch[MARKS].cpu()
    if not same.all():
        raise UserError(_mixed_up(int(same.int().argmin()), "its pictures are not those that it was generated with"))


def _mixed_up(row: int, how: str) -> str:
    return (
        f"row {row} of a micro-batch is shown other pictures than it asks for: {how}; nothing is learnt from it. Your "
        "data are not the cause: report it, with the versions of trl and transformers"
    )
