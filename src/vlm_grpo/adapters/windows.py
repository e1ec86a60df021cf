"""Windows of equal length in one attention call.

Qwen's vision towers attend within windows (and within whole pictures), each in a call of its own: a batch of small
pictures, or one large one, is hundreds of calls a pass. Windows do not see each other, so those of one length can stand
in the call's batch dimension. Flash attention takes windows of any length at once and is left as it is.
"""

import copy
import inspect
from collections import Counter
from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any

import torch
from torch.utils.weak import WeakTensorKeyDictionary
from transformers import AttentionInterface
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

TOGETHER = "vlm_grpo_windows"
STOCK = "sdpa"
"""The implementation that this stands before."""
_LENGTHS: MutableMapping[torch.Tensor, tuple[int, ...]] = WeakTensorKeyDictionary()
"""What `_lengths` read of bounds that still exist; by identity."""


class _Together:
    """Before a tower's attention class: hands the windows on to `_attend` instead of cutting them out."""

    window_lengths: tuple[int, ...]

    def forward(self, hidden_states: torch.Tensor, cu_seqlens: torch.Tensor, *rest: Any, **more: Any) -> torch.Tensor:
        """As the class below, (tokens, width) to (tokens, width); `cu_seqlens` are the windows' bounds."""
        self.window_lengths = _lengths(cu_seqlens)
        whole = torch.tensor([0, len(hidden_states)], device="cpu")  # the class below reads it, three times
        states: torch.Tensor = super().forward(hidden_states, whole, *rest, **more)  # type: ignore[misc]
        return states


def _lengths(cu_seqlens: torch.Tensor) -> tuple[int, ...]:
    """The windows' lengths, read off their bounds once: each reading makes the host wait for the GPU.

    A pass gives all its layers the same tensors of bounds and does not change them.
    """
    if cu_seqlens not in _LENGTHS:
        _LENGTHS[cu_seqlens] = tuple((cu_seqlens[1:] - cu_seqlens[:-1]).tolist())
    return _LENGTHS[cu_seqlens]


def attend_together(model: torch.nn.Module) -> None:
    """Let the windows of each vision tower in `model` that attends by `STOCK` be attended to together."""
    modules: list[Any] = list(model.modules())
    for module in modules:
        takes_windows = "cu_seqlens" in inspect.signature(module.forward).parameters and hasattr(module, "qkv")
        if takes_windows and module.config._attn_implementation == STOCK:
            module.config = copy.copy(module.config)
            module.config._attn_implementation = TOGETHER
            module.__class__ = type(type(module).__name__, (_Together, type(module)), {})


def _attend(
    module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, attention_mask: None, **rest: Any
) -> tuple[torch.Tensor, None]:
    """Attention (1, tokens, heads, width) within the windows, of three tensors (1, heads, tokens, width)."""
    stock = ALL_ATTENTION_FUNCTIONS[STOCK]
    if len(module.window_lengths) == 1:
        return stock(module, query, key, value, attention_mask, **rest)[0], None
    order, back, groups = _by_length(module.window_lengths, query.device)
    tensors = torch.cat([query, key, value]) if order is None else torch.cat([query, key, value])[:, :, order]
    attended, start = [], 0
    for length, count in groups:
        some = tensors[:, :, start : start + count * length].unflatten(2, (count, length)).transpose(1, 2)
        attended.append(stock(module, *some.unbind(), attention_mask, **rest)[0].flatten(0, 1))
        start += count * length
    return (attended[0] if back is None else torch.cat(attended)[back])[None], None


@lru_cache(maxsize=64)
def _by_length(
    lengths: tuple[int, ...], device: torch.device
) -> tuple[torch.Tensor | None, torch.Tensor | None, list[tuple[int, int]]]:
    """The tokens' order with windows of one length side by side, the way back, and each length with its count.

    Both orders are None where all windows are of one length.
    """
    groups = sorted(Counter(lengths).items())
    if len(groups) == 1:
        return None, None, groups
    windows = torch.arange(sum(lengths)).split(lengths)
    order = torch.cat([window for length, _ in groups for window in windows if len(window) == length])
    return order.to(device), order.argsort().to(device), groups


AttentionInterface.register(TOGETHER, _attend)
