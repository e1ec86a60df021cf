"""How the embeddings of a soft prompt get into a forward: in place of what its virtual tokens would be looked up as."""

from collections.abc import Callable

import torch
from torch import nn

from vlm_grpo.adapters.virtual_tokens import VIRTUAL


class Substitution:
    """Hooks of the input `embedding`: where its ids (B, L) hold `VIRTUAL`, it gives the rows of `prompt()` (N, width).

    The k-th virtual token of a row is given the k-th of them.
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
