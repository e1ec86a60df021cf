"""Read a prompt and all its completions in one pass: one row a prompt, each completion blind to the others.

The same states as two passes (`prefix`), the prompt and then its continuations, for half the launches: 788 operations
that are not views against 1,633 forward and backward on a model of four layers, where TRL's pass takes 739. A GPU that
waits for launches takes as long as there are operations. A CPU waits for arithmetic, and there the scores of one
completion with another, computed before the mask hides them, cost more than a second pass.

`is_worth_packing` is the one place that decides. It looks at shapes and at the device alone, so that a resumed run
decides as the undisturbed one does.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import PreTrainedModel

from vlm_grpo.methods.fast.positions import positions_of_prompts

MASKED = ("sdpa", "eager")
"""Attention that takes a mask of any shape."""
LONGEST = 4096
"""Tokens of a packed row; its mask and what it wastes grow with their square."""
USABLE = 0.4
"""Share of a GPU's memory that the activations of a packed pass may be expected to take; above, two passes, whose
completions can be cut into chunks."""


def is_worth_packing(backbone: PreTrainedModel, *, prompts: int, length: int, group: int, completion: int) -> bool:
    """Whether rows of `length` + `group` x `completion` tokens, one a prompt, are to pass at once.

    On a GPU, up to `LONGEST` tokens a row, where their activations fit: a token's are some 20 values of the model's
    width and 6 of its inner width a layer.
    """
    if backbone.device.type != "cuda" or backbone.config._attn_implementation not in MASKED:
        return False
    text = backbone.config.get_text_config()
    row = length + group * completion
    values = text.num_hidden_layers * (20 * text.hidden_size + 6 * text.intermediate_size)
    needed = prompts * row * values * backbone.dtype.itemsize
    total = torch.cuda.get_device_properties(backbone.device).total_memory
    return row <= LONGEST and needed <= USABLE * total


def describe_packed(
    backbone: PreTrainedModel,
    *,
    prompt_ids: torch.Tensor,
    prompt_mask: torch.Tensor,
    pictures: dict[str, torch.Tensor],
    prompt_of_row: Sequence[int],
    completion_ids: torch.Tensor,
    completion_mask: torch.Tensor,
) -> dict[str, Any]:
    """What `backbone(packed=...)` needs; the arguments are those of `prefix.describe`.

    A row holds its prompt (P tokens) and then `group` places of C - 1 tokens: the last token of a completion predicts
    nothing. Where prompts have fewer completions than others, places stay empty.
    """
    device, (prompts, length), tokens = prompt_ids.device, prompt_ids.shape, completion_ids.shape[1] - 1
    place, taken = [], [0] * prompts
    for prompt in prompt_of_row:
        place.append(taken[prompt])
        taken[prompt] += 1
    group = max(taken)
    at = torch.tensor(prompt_of_row, device=device), torch.tensor(place, device=device)
    ids = prompt_ids[:, -1:, None].repeat(1, group, tokens)
    ids[at] = completion_ids[:, :-1]
    real = torch.zeros_like(ids)
    real[at] = completion_mask[:, :-1].to(real.dtype)
    positions, following = positions_of_prompts(backbone, prompt_ids, prompt_mask, pictures.get("image_grid_thw"))
    continued = (following[:, None] + torch.arange(tokens, device=device)).repeat(1, group)
    continued = continued.expand(3, -1, -1) if positions.ndim == 3 else continued
    is_real = torch.cat([prompt_mask, real.flatten(1)], 1).bool()
    place_of_token = torch.arange(-1, group, device=device).repeat_interleave(
        torch.tensor([length] + [tokens] * group, device=device)
    )
    return {
        "input_ids": torch.cat([prompt_ids, ids.flatten(1)], 1),
        "attention_mask": _mask(is_real, place_of_token, backbone),
        "position_ids": torch.cat([positions, continued], -1),
        "pictures": pictures,
        "length": length,
        "group": group,
        "at": at,
    }


def _mask(is_real: torch.Tensor, place: torch.Tensor, backbone: PreTrainedModel) -> torch.Tensor:
    """(N, 1, L, L): a token sees the real tokens before it of its prompt and its own place, and itself."""
    before = torch.ones(len(place), len(place), dtype=torch.bool, device=place.device).tril()
    related = before & ((place < 0)[None] | (place[:, None] == place[None]))
    seen = (related & is_real[:, None]) | torch.eye(len(place), dtype=torch.bool, device=place.device)
    if backbone.config._attn_implementation != "eager":
        return seen[:, None]
    hidden = torch.finfo(backbone.dtype).min
    return torch.zeros_like(seen, dtype=backbone.dtype).masked_fill(~seen, hidden)[:, None]


def packed_states(
    stock: Callable[..., Any],
    *,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor,
    position_ids: torch.Tensor,
    pictures: dict[str, torch.Tensor],
    length: int,
    group: int,
    at: tuple[torch.Tensor, torch.Tensor],
) -> torch.Tensor:
    """The states that predict each row's C completion tokens, (B, C, width), by the backbone's `stock` forward."""
    states = stock(
        input_ids=input_ids, attention_mask=attention_mask, position_ids=position_ids, use_cache=False, **pictures
    ).last_hidden_state
    prompt_of_row, place = at
    last = states[prompt_of_row, length - 1 : length]
    tokens = (states.shape[1] - length) // group
    return torch.cat([last, states[:, length:].unflatten(1, (group, tokens))[prompt_of_row, place]], dim=1)
