"""The language tower's step for one token a row, in about half the operations of the model's own forward.

While decoding, a token costs what launching its kernels costs, the same at batch 16 and 64. So the step is written out
for the layouts it knows (Llama's, which SmolVLM and Idefics3 have; Qwen2's, which InternVL has; and the text towers of
Qwen2-VL and Qwen2.5-VL), with LoRA apart on any of their linear layers. In float32 its logits equal the model's up to
1e-5; in a shorter format it rounds where the model does, so it moves no farther from it than another batch size would.
Under autocast to the weights' own format LoRA computes in that format too, as it does when a batch is scored.
Left to the model's own step: what `lean_layout.why_not_lean` names.
"""

import logging
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.cache_utils import Cache

from vlm_grpo.adapters.precision import autocast_dtype
from vlm_grpo.decoding.branch import Branch
from vlm_grpo.decoding.lean_layer import BRANCHES, LeanLayer, norm
from vlm_grpo.decoding.lean_layout import why_not_lean
from vlm_grpo.decoding.slots import SlotCache
from vlm_grpo.decoding.step import Step, tower_step

logger = logging.getLogger(__name__)


def lean_step(model: PreTrainedModel) -> "LeanStep":
    """The lean step of `model` (the one with the output layer, without PEFT's wrapper), or the tower's own."""
    return LeanStep(model, tower_step(model))


class LeanStep:
    """A step of `model` (the one with the output layer, without PEFT's wrapper), or `stock`, which is always right.

    Call `refresh` before each rollout: it takes over what training did to LoRA, and looks which of the two it is.
    """

    def __init__(self, model: PreTrainedModel, stock: Step) -> None:
        self._tower: Any = model.get_decoder()
        self._model, self._stock = model, stock
        self._branches = [Branch(model.device) for _ in range(BRANCHES)]
        self._layers: list[LeanLayer] = []
        self._lora: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._copied: Any = None
        self.why_not: str | None = None
        self.refresh()

    def refresh(self) -> None:
        """Copy LoRA's weights, which may have changed in place; the copies' addresses stay, and so do captured graphs.

        Where the tower's own tensors have moved since, or autocast was switched, the copies are made anew, as graphs
        have to be. `why_not` says why the step is the stock one; None: it is not.
        """
        why_not, before = why_not_lean(self._model), self.why_not
        self.why_not = why_not
        if why_not is not None:
            if why_not != before:
                logger.warning("decoding: each token by the model's own step: %s", why_not)
            return
        rounded = autocast_dtype(self._model.device)
        tensors = [(tensor.data_ptr(), tensor.shape) for tensor in self._tower.parameters()]
        if (tensors, rounded) != self._copied:
            self._copied = tensors, rounded
            self._layers = [LeanLayer(layer, self._branches, rounded) for layer in self._tower.layers]
            self._lora = [pair for layer in self._layers for pair in layer.copies()]
        if self._lora:
            copies, weights = zip(*self._lora, strict=True)
            torch._foreach_copy_(copies, weights)

    @torch.no_grad()
    def __call__(
        self, ids: torch.Tensor, positions: torch.Tensor, cache: Cache, mask: torch.Tensor | None
    ) -> torch.Tensor:
        """Hidden states (B, width) of the tokens `ids` (B, 1), whose keys and values the cache's layers take.

        `positions` are (B, 1), or (3, B, 1) for three-row rotary positions; `mask` (B, 1, 1, length) is boolean, True
        where a row may look, the token's own place included; None: everywhere. On CUDA a length that is a multiple of
        16 spares attention a padded copy of the mask in every layer.
        """
        if self.why_not is not None:
            return self._stock(ids, positions, cache, mask)
        with torch.autocast(ids.device.type, enabled=False):
            return self._lean(ids, positions, cache, mask)

    def _lean(
        self, ids: torch.Tensor, positions: torch.Tensor, cache: Cache, mask: torch.Tensor | None
    ) -> torch.Tensor:
        h = self._tower.embed_tokens(ids).squeeze(1)
        cos, sin = self._tower.rotary_emb(h, positions)
        sin[..., : sin.shape[-1] // 2].neg_()
        if mask is not None:
            mask = torch.zeros_like(mask, dtype=h.dtype).masked_fill_(~mask, -torch.inf)
        room = self._layers[0].room(h)
        shared = cache.shared if isinstance(cache, SlotCache) else None
        for layer, slot in zip(self._layers, cache.layers, strict=True):
            layer(h, cos, sin, slot, mask, room, shared)
        return norm(self._tower.norm, h)
