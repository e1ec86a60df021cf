"""One token through the language tower: the seam between the engine and how a step is computed.

A step is built once for a model by a function such as `tower_step` and called for each token with static places, all
written before the call, so it may be captured: it must not read a number from the device, and must not keep what
depends on values rather than on addresses. Its result is the tower's last hidden state; the output layer is the
engine's, since hooks watch it.
"""

from collections.abc import Callable

import torch
from transformers import PreTrainedModel
from transformers.cache_utils import Cache

from vlm_grpo.adapters.renamed import cache_name

Step = Callable[[torch.Tensor, torch.Tensor, Cache, torch.Tensor | None], torch.Tensor]
"""(ids (B, 1), positions (B, 1) or (3, B, 1), cache, mask (B, 1, 1, L) or None) -> hidden states (B, width).

The cache's layers take the token's keys and values by `update` and return those of all L places; the mask is boolean,
or additive where the model attends eagerly."""
BuildStep = Callable[[PreTrainedModel], Step]


def tower_step(model: PreTrainedModel) -> Step:
    """The step by the language tower as it is; `model` is the one with the output layer, without PEFT's wrapper."""
    tower = model.get_decoder()
    named = cache_name(tower.forward)

    def step(ids: torch.Tensor, positions: torch.Tensor, cache: Cache, mask: torch.Tensor | None) -> torch.Tensor:
        read = tower(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=True, **{named: cache})
        state: torch.Tensor = read.last_hidden_state[:, -1]
        return state

    return step
