"""Read each prompt once: its completions continue from one KV cache, and gradients flow back through it.

A causal model's states at the prompt do not depend on what follows, so a group of G completions needs one pass over
the prompt instead of G. The cache stays in the autograd graph: the gradient of every completion arrives at the prompt's
keys and values and goes through the prompt once. The result is the stock pass's, up to the order in which numbers are
added.

`share_prefix` teaches this to a backbone (the model below its output layer). It happens inside the backbone's forward,
hence inside one forward of whatever wraps it: PEFT, autocast, DDP and DeepSpeed see an ordinary pass.

Left out: gradient checkpointing (transformers drops the cache then; chunks are recomputed instead) and models that
attend in windows or keep recurrent states.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel
from transformers.cache_utils import Cache, DynamicLayer
from transformers.modeling_outputs import BaseModelOutput

from vlm_grpo.adapters.renamed import cache_name
from vlm_grpo.decoding.memory import allocated_bytes, free_bytes
from vlm_grpo.methods.fast.guard import rows_at_once
from vlm_grpo.methods.fast.packed import packed_states
from vlm_grpo.methods.fast.positions import positions_of_prompts


def describe(
    backbone: PreTrainedModel,
    *,
    prompt_ids: torch.Tensor,
    prompt_mask: torch.Tensor,
    pictures: dict[str, torch.Tensor],
    prompt_of_row: Sequence[int],
    completion_ids: torch.Tensor,
    completion_mask: torch.Tensor,
    rows_per_chunk: int | None = None,
) -> dict[str, Any]:
    """What `backbone(shared_prefix=...)` needs, as plain tensors and numbers.

    Args:
        backbone: a model of `decoding.serving.MODEL_TYPES`.
        prompt_ids: (N, P) the distinct prompts, padded on the left.
        prompt_mask: (N, P) 0 at padding.
        pictures: the distinct prompts' pictures, as the forward takes them.
        prompt_of_row: which of the N prompts each of the B rows continues.
        completion_ids: (B, C), padded on the right.
        completion_mask: (B, C) 0 at padding.
        rows_per_chunk: completions that pass at once; None lets memory decide.
    """
    index = torch.tensor(prompt_of_row, device=prompt_ids.device)
    positions, following = positions_of_prompts(backbone, prompt_ids, prompt_mask, pictures.get("image_grid_thw"))
    steps = torch.arange(completion_ids.shape[1] - 1, device=prompt_ids.device)
    continued = following[index, None] + steps
    return {
        "prompt": {
            "input_ids": prompt_ids,
            "attention_mask": None if bool(prompt_mask.all()) else prompt_mask,
            "position_ids": positions,
            **pictures,
        },
        "prompt_of_row": index,
        "completion_ids": completion_ids[:, :-1],
        "attention_mask": torch.cat([prompt_mask[index], completion_mask[:, :-1]], dim=1),
        "position_ids": continued.expand(3, -1, -1) if positions.ndim == 3 else continued,
        "group": _group(prompt_of_row, prompts=len(prompt_ids)),
        "rows_per_chunk": rows_per_chunk,
    }


def share_prefix(backbone: PreTrainedModel) -> None:
    """Teach `backbone.forward` the arguments `shared_prefix`, made by `describe`, and `packed`, by `describe_packed`.

    Its `last_hidden_state` is then (B, C, width): the states that predict each row's C completion tokens.
    """
    stock = backbone.forward

    @functools.wraps(stock)
    def forward(
        *args: Any, shared_prefix: dict[str, Any] | None = None, packed: dict[str, Any] | None = None, **kwargs: Any
    ) -> Any:
        if packed is not None:
            return BaseModelOutput(last_hidden_state=packed_states(stock, **packed))
        if shared_prefix is None:
            return stock(*args, **kwargs)
        return BaseModelOutput(last_hidden_state=_completion_states(stock, **shared_prefix))

    backbone.forward = forward


def _completion_states(
    stock: Callable[..., Any],
    *,
    prompt: dict[str, Any],
    prompt_of_row: torch.Tensor,
    completion_ids: torch.Tensor,
    attention_mask: torch.Tensor,
    position_ids: torch.Tensor,
    group: int | None,
    rows_per_chunk: int | None,
) -> torch.Tensor:
    device = completion_ids.device
    before = allocated_bytes(device)
    read = stock(**prompt, use_cache=True)
    cache = cache_name(stock)
    last = read.last_hidden_state[prompt_of_row, -1:]
    rows, tokens = completion_ids.shape
    if tokens == 0:
        return last

    def continue_prompts(some: slice) -> torch.Tensor:
        together = group if len(chunks) == 1 else None
        layers = [_ContinuedLayer(layer, prompt_of_row[some], together) for layer in read[cache].layers]
        return stock(
            input_ids=completion_ids[some],
            attention_mask=attention_mask[some],
            position_ids=position_ids[..., some, :],
            use_cache=True,
            **{cache: Cache(layers=layers)},
        ).last_hidden_state

    keeps_graph = torch.is_grad_enabled()
    if rows_per_chunk is None:
        bytes_per_token = (allocated_bytes(device) - before) / prompt["input_ids"].numel() if keeps_graph else 0
        rows_per_chunk = rows_at_once(
            rows, tokens_per_row=tokens, bytes_per_token=bytes_per_token, free=free_bytes(device)
        )
    chunks = [slice(start, start + rows_per_chunk) for start in range(0, rows, rows_per_chunk)]
    if keeps_graph and len(chunks) > 1:
        states = [checkpoint(continue_prompts, chunk, use_reentrant=False) for chunk in chunks]
    else:
        states = [continue_prompts(chunk) for chunk in chunks]
    return torch.cat([last, torch.cat(states)], dim=1)


class _ContinuedLayer(DynamicLayer):
    """A layer of the prompts' cache, continued once by rows that each go on from one of the prompts.

    `group` is the number of rows a prompt where they come in order, which makes the gradient's sum fast and of a fixed
    order; else None.
    """

    def __init__(self, prompts: DynamicLayer, prompt_of_row: torch.Tensor, group: int | None) -> None:
        super().__init__()
        self.keys, self.values, self.is_initialized = prompts.keys, prompts.values, True
        self.prompt_of_row, self.group = prompt_of_row, group

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any) -> Any:
        """Keys and values of prompt and completion, (rows, heads, tokens, width)."""
        return self._continue(self.keys, key_states), self._continue(self.values, value_states)

    def _continue(self, prompts: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
        if self.group is None:
            return torch.cat([prompts.index_select(0, self.prompt_of_row), new], dim=-2)
        repeated = prompts.unsqueeze(1).expand(-1, self.group, *prompts.shape[1:])
        return torch.cat([repeated, new.unflatten(0, (len(prompts), self.group))], dim=-2).flatten(0, 1)


def _group(prompt_of_row: Sequence[int], *, prompts: int) -> int | None:
    """The groups' size where rows come in groups of one size in the prompts' order; else None."""
    size = len(prompt_of_row) // prompts
    return size if list(prompt_of_row) == [prompt for prompt in range(prompts) for _ in range(size)] else None
