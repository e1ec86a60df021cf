"""One decoder layer's step for one token a row: the model's own function, in fewer operations.

RMSNorm is one call, queries and keys are turned together, the mask is made additive once for all layers, and a group of
query heads reads its keys and values as they lie in the cache, without repeating them.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import rms_norm, scaled_dot_product_attention
from transformers.cache_utils import CacheLayerMixin

from vlm_grpo.decoding.branch import Branch
from vlm_grpo.decoding.lean_projection import Added, Stacked
from vlm_grpo.decoding.shared_keys import SharedKeys, attend

BRANCHES = 3
"""Beside q, or gate: LoRA's part, and two more layers of the same input."""
Room = tuple[torch.Tensor, torch.Tensor]
"""Where the layers, one after the other, put q, k and v (B, their widths) and gate and up (B, their widths)."""


class LeanLayer:
    """The step of `layer`, a decoder layer of Llama's layout (q, k, v, o; gate, up, down; two norms).

    `branches`, at least `BRANCHES`, are for products that may run side by side; `rounded` is the number format that
    LoRA computes in, None: its own.
    """

    def __init__(self, layer: Any, branches: Sequence[Branch], rounded: torch.dtype | None = None) -> None:
        attention, mlp = layer.self_attn, layer.mlp
        self.norms = layer.input_layernorm, layer.post_attention_layernorm
        self.width: int = attention.head_dim
        self.groups: int = attention.num_key_value_groups
        self.scale: float = attention.scaling
        self.activation = mlp.act_fn
        self.qkv = Stacked([attention.q_proj, attention.k_proj, attention.v_proj], branches, rounded)
        self.output = Added(attention.o_proj, branches[0], rounded)
        self.gate_up = Stacked([mlp.gate_proj, mlp.up_proj], branches, rounded)
        self.down = Added(mlp.down_proj, branches[0], rounded)
        self.kv_heads = self.qkv.widths[1] // self.width
        self.turned = sum(self.qkv.widths[:2]) // self.width

    def copies(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Places in the copies of LoRA's weights, and the weights, which may change in place."""
        projections = (self.qkv, self.output, self.gate_up, self.down)
        return [pair for projection in projections if projection.lora is not None for pair in projection.lora.copies()]

    def room(self, h: torch.Tensor) -> Room:
        """Memory that this layer and those of its shape work in."""
        return h.new_empty(len(h), sum(self.qkv.widths)), h.new_empty(len(h), sum(self.gate_up.widths))

    def __call__(
        self,
        h: torch.Tensor,
        cos: torch.Tensor,
        sin: torch.Tensor,
        slot: CacheLayerMixin,
        mask: torch.Tensor | None,
        room: Room,
        shared: SharedKeys | None = None,
    ) -> None:
        """Change h (B, hidden) in place and give the token's keys and values (B, heads, 1, width) to `slot`.

        `cos` and `sin` (B, 1, width) with the sine negative in its first half; `mask` (B, 1, 1, L) is additive;
        `shared` says whose first places hold the same.
        """
        rows = len(h)
        heads = self.qkv(norm(self.norms[0], h), room[0]).view(rows, -1, self.width)
        swapped = heads.roll(self.width // 2, -1)
        heads[:, : self.turned].mul_(cos).add_(swapped[:, : self.turned] * sin)
        queries, written = heads.split((self.turned - self.kv_heads, 2 * self.kv_heads), 1)
        keys, values = slot.update(*written.unsqueeze(2).chunk(2, 1))
        grouped = queries.unflatten(1, (self.kv_heads, self.groups))
        answers = (
            scaled_dot_product_attention(grouped, keys, values, attn_mask=mask, scale=self.scale)
            if shared is None
            else attend(grouped, keys, values, mask, scale=self.scale, shared=shared)
        )
        self.output(h, answers.reshape(rows, -1))
        gate, up = self.gate_up(norm(self.norms[1], h), room[1]).chunk(2, -1)
        self.down(h, self.activation(gate).mul_(up))


def norm(module: Any, h: torch.Tensor) -> torch.Tensor:
    """The model's RMSNorm `module` of h (B, width); the weight is a factor apart, since the model rounds before it."""
    return rms_norm(h, module.weight.shape, eps=module.variance_epsilon).mul_(module.weight)
