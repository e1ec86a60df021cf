"""The virtual tokens of a soft prompt: where they stand in a batch, and how their embeddings get there.

They stand in `input_ids` as `VIRTUAL`, which is no token's id, before each row's first real token and behind its
padding. So the model's own forward counts positions (Qwen's three rows of them too) and puts the pictures in, and only
the look-up of the input embedding is changed: it gives the k-th virtual token of a row the k-th row of the prompt. PEFT
hands the model `inputs_embeds` instead, from which no family can tell where a picture stands; Qwen2.5-VL of the
study's transformers then left it out.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

VIRTUAL = -1
FILLS = {"input_ids": VIRTUAL, "attention_mask": 1, "mm_token_type_ids": 0, "token_type_ids": 0, "labels": -100}
"""What each field (B, L) of a batch holds at a virtual token: attended to, text, and nothing to learn."""


def insert(batch: Any, count: int) -> Any:
    """`batch` with `count` virtual tokens in each row, whose fields of `FILLS` are then (B, `count` + L).

    A row's padding may be on either side. The fields are replaced in `batch`, which is returned; others stay.
    """
    if count == 0:
        return batch
    mask = batch["attention_mask"]
    first = mask.argmax(dim=1, keepdim=True)
    place = torch.arange(count + mask.shape[1], device=mask.device).expand(len(mask), -1)
    is_virtual = (place >= first) & (place < first + count)
    source = torch.where(place < first, place, place - count).clamp(min=0)
    for name, fill in FILLS.items():
        if name in batch:
            batch[name] = batch[name].gather(1, source).masked_fill(is_virtual, fill)
    return batch


class Substitution:
    """Hooks of the input `embedding`: where its ids (B, L) hold `VIRTUAL`, it gives the rows of `prompt()` (N, width).

    A token by itself is one that is decoded, never a virtual one, so steps that are captured for replay stay as they
    are. Where `prompt()` learns, the gradient reaches it.
    """

    def __init__(self, embedding: nn.Module, prompt: Callable[[], torch.Tensor]) -> None:
        self._prompt = prompt
        self._virtual: torch.Tensor | None = None
        self._hooks = (
            embedding.register_forward_pre_hook(self._look),
            embedding.register_forward_hook(self._put),
        )

    def remove(self) -> None:
        """Leave the embedding as it was."""
        for hook in self._hooks:
            hook.remove()

    def _look(self, embedding: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        ids = inputs[0]
        self._virtual = ids == VIRTUAL if ids.ndim == 2 and ids.shape[1] > 1 else None
        return inputs if self._virtual is None else (ids.masked_fill(self._virtual, 0), *inputs[1:])

    def _put(self, embedding: nn.Module, inputs: tuple[torch.Tensor, ...], embedded: torch.Tensor) -> torch.Tensor:
        virtual, self._virtual = self._virtual, None
        rows = self._prompt()
        if virtual is None or len(rows) == 0:
            return embedded
        which = (virtual.cumsum(dim=-1) - 1).clamp(0, len(rows) - 1)
        return torch.where(virtual.unsqueeze(-1), rows.to(embedded.dtype)[which], embedded)
