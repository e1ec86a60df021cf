"""Positions of prompts and of what follows them, as the family counts them: one number a token or three."""

import torch
from transformers import PreTrainedModel


def positions_of_prompts(
    backbone: PreTrainedModel, ids: torch.Tensor, mask: torch.Tensor, grid: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Position ids of the prompts, (N, P) or (3, N, P) with pictures in Qwen, and (N,) that of the token after each."""
    lengths = mask.sum(1)
    if grid is None or not hasattr(backbone, "get_rope_index"):
        return (mask.cumsum(1) - 1).clamp(min=0), lengths
    is_picture = (ids == backbone.config.image_token_id).int()
    positions, deltas = backbone.get_rope_index(
        ids, mm_token_type_ids=is_picture, image_grid_thw=grid, attention_mask=mask
    )
    return positions, lengths + deltas.squeeze(1)
