"""The attention of one layer, without eager attention anywhere else.

The watched layer computes its output as before; beside it, its weights are computed for the queries asked for, one head
mean at a time. Every other layer keeps its fast kernel, and one layer's rows are all that is kept.
"""

import copy
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from vlm_grpo.adapters.base import Adapter

WATCHED = "vlm_grpo_watched"


@dataclass
class Watch:
    """What one layer attends to: `weights` (queries, keys), mean over heads, each row a distribution, in float32.

    `first` and `last` are the places of the queries kept, the last one exclusive.
    """

    first: int
    last: int
    implementation: str
    weights: torch.Tensor = field(default_factory=lambda: torch.empty(0))


def attention_layers(model: nn.Module, adapter: Adapter) -> list[nn.Module]:
    """The language tower's attention modules, from the first layer to the last."""
    return [
        module
        for name, module in model.named_modules()
        if hasattr(module, "q_proj")
        and re.fullmatch(adapter.lora_targets, f"{name}.q_proj".removeprefix("base_model.model."))
    ]


@contextmanager
def watch_layer(layer: Any, *, first: int, last: int) -> Iterator[Watch]:
    """Within, each forward pass of a batch of one leaves in the `Watch` what the queries `first` to `last` attend to.

    The keys of the pass must be its own queries' (no cache), unpadded.
    """
    config = layer.config
    watch = Watch(first, last, config._attn_implementation)
    layer.config = copy.copy(config)
    layer.config._attn_implementation = WATCHED
    layer.watch = watch
    try:
        yield watch
    finally:
        layer.config = config
        del layer.watch


def _watched(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **rest: Any,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Attend as the model does; `query` (1, heads, length, width), `key` and `value` (1, groups, length, width)."""
    watch: Watch = module.watch
    _, heads, length, width = query.shape
    assert query.shape[0] == 1, "one row at a time"
    assert key.shape[2] == length, "the keys are those of the pass"
    seen = (
        torch.arange(length, device=query.device) <= torch.arange(watch.first, watch.last, device=query.device)[:, None]
    )
    scale = width**-0.5 if scaling is None else scaling
    total = torch.zeros(seen.shape, device=query.device)
    for head in range(heads):
        scores = (
            query[0, head, watch.first : watch.last].float() @ key[0, head * key.shape[1] // heads].float().T * scale
        )
        total += scores.masked_fill(~seen, -torch.inf).softmax(-1)
    watch.weights = (total / heads).cpu()
    attend = ALL_ATTENTION_FUNCTIONS[watch.implementation]
    return attend(module, query, key, value, attention_mask, scaling=scaling, **rest)


AttentionInterface.register(WATCHED, _watched)
