"""A completion and where one layer looked for each of its tokens.

The completion is decoded as an evaluation decodes it; then prompt and completion pass through the model once more,
which gives the same attention as at each step of decoding (to rounding) and needs no attention to be kept meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel

from vlm_grpo.adapters.base import Adapter, Cell, Size
from vlm_grpo.attention.watch import attention_layers, watch_layer
from vlm_grpo.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Look:
    """Where the model looked.

    Attributes:
        ids: prompt and completion, in tokens.
        prompt_length: how many of them are the prompt's.
        cells: which part of which picture each of the prompt's picture tokens stands for.
        weights: (completion tokens, all tokens): the row of a token is what the model attended to as it chose it,
            mean over heads; rows sum to one and reach only backwards.
        layer: which layer this is, and `layers` how many there are.
    """

    ids: list[int]
    prompt_length: int
    cells: list[Cell]
    weights: torch.Tensor
    layer: int
    layers: int

    @property
    def on_cells(self) -> torch.Tensor:
        """(completion tokens, cells): what went to each cell."""
        return self.weights[:, [cell.token for cell in self.cells]]

    def peak(self, at: int) -> Cell:
        """The cell that the completion's token `at` attended to most; picture tokens are there."""
        return self.cells[int(self.on_cells[at].argmax())]


def look(
    model: PreTrainedModel,
    adapter: Adapter,
    processor: Any,
    encoded: Any,
    completion: list[int],
    *,
    sizes: Sequence[Size],
    layer: int | None,
) -> Look:
    """Watch `layer` (None: the middle one) over the `completion` of the prompt `encoded` (1, L).

    `sizes` are (width, height) of the prompt's pictures.

    `UserError` where the family's picture tokens are not known, or there is no such layer.
    """
    if adapter.picture_cells is None:
        raise UserError(f"which part of a picture a token stands for is not known of the family {adapter.family}")
    layers = attention_layers(model, adapter)
    chosen = len(layers) // 2 if layer is None else layer
    if not 0 <= chosen < len(layers):
        raise UserError(f"layer {chosen}: the model's layers are 0 to {len(layers) - 1}")
    prompt_length = encoded["input_ids"].shape[1]
    whole = with_completion(encoded, completion, device=model.device)
    with (
        torch.inference_mode(),
        watch_layer(layers[chosen], first=prompt_length - 1, last=-1 + whole["input_ids"].shape[1]) as watch,
    ):
        model(**whole, use_cache=False, logits_to_keep=1)
    return Look(
        ids=whole["input_ids"][0].tolist(),
        prompt_length=prompt_length,
        cells=adapter.picture_cells(processor, encoded, sizes),
        weights=watch.weights,
        layer=chosen,
        layers=len(layers),
    )


def with_completion(encoded: Any, completion: list[int], *, device: torch.device) -> dict[str, torch.Tensor]:
    """The model's inputs for a prompt (1, L) that goes on with `completion`; pictures stay as they are."""
    inputs = dict(encoded)
    new = torch.tensor([completion], dtype=torch.long)
    inputs["input_ids"] = torch.cat([encoded["input_ids"], new], dim=1)
    for name, value in (("attention_mask", 1), ("mm_token_type_ids", 0)):
        if name in inputs:
            inputs[name] = torch.cat([encoded[name], torch.full_like(new, value)], dim=1)
    return {name: tensor.to(device) for name, tensor in inputs.items()}
