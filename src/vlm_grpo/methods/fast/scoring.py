"""Cut a batch that TRL wants scored into passes that read each prompt once."""

from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from transformers import PreTrainedModel

from vlm_grpo.decoding.pictures import Pictures
from vlm_grpo.decoding.prompts import DistinctPrompts, distinct_prompts
from vlm_grpo.methods.fast.packed import describe_packed, is_worth_packing
from vlm_grpo.methods.fast.prefix import describe

IGNORED = -100


@dataclass(frozen=True)
class SharedPass:
    """B rows that pass the model together, and the N prompts they share.

    Attributes:
        distinct: which prompt each row continues.
        prompt_ids: (N, P) padded on the left.
        prompt_mask: (N, P) 0 at padding.
        pictures: the N prompts' pictures, as the forward takes them.
        completion_ids: (B, C) padded on the right, no longer than the longest.
        completion_mask: (B, C) 0 at padding.
    """

    distinct: DistinctPrompts
    prompt_ids: torch.Tensor
    prompt_mask: torch.Tensor
    pictures: dict[str, torch.Tensor]
    completion_ids: torch.Tensor
    completion_mask: torch.Tensor

    @property
    def tokens(self) -> int:
        """Tokens that pass the model, padding included."""
        return self.prompt_ids.numel() + self.completion_ids.numel()

    @property
    def group(self) -> int:
        """The most completions that a prompt has here."""
        return max(Counter(self.distinct.of_row).values())

    def score(
        self, model: Any, backbone: PreTrainedModel, *, rows_per_chunk: int | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-probabilities and entropies (B, C), 0 at padding, by TRL's own output layer.

        `model` is the policy in whatever wraps it, `backbone` what lies below its output layer.
        """
        what: dict[str, Any] = {
            "prompt_ids": self.prompt_ids,
            "prompt_mask": self.prompt_mask,
            "pictures": self.pictures,
            "prompt_of_row": self.distinct.of_row,
            "completion_ids": self.completion_ids,
            "completion_mask": self.completion_mask,
        }
        prompts, length = self.prompt_ids.shape
        if rows_per_chunk is None and is_worth_packing(
            backbone, prompts=prompts, length=length, group=self.group, completion=self.completion_ids.shape[1]
        ):
            shared = {"packed": describe_packed(backbone, **what)}
        else:
            shared = {"shared_prefix": describe(backbone, **what, rows_per_chunk=rows_per_chunk)}
        labels = self.completion_ids.masked_fill(self.completion_mask == 0, IGNORED)
        outputs = model(input_ids=self.completion_ids, shift_labels=labels, fused_lm_head=True, **shared)
        return outputs.log_probs, outputs.entropy


def cut_into_passes(
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor,
    *,
    completion_length: int,
    batch_size: int | None,
    pictures: Pictures,
) -> list[SharedPass]:
    """Passes of at most `batch_size` rows of (rows, prompt + completion) `input_ids`, in order."""
    rows = len(input_ids)
    batch_size = batch_size or rows
    split = input_ids.shape[1] - completion_length
    prompt_ids, prompt_mask = input_ids[:, :split], attention_mask[:, :split]
    completion_ids, completion_mask = input_ids[:, split:], attention_mask[:, split:]
    is_token = prompt_mask.bool().tolist()
    prompts = [
        [token for token, kept in zip(ids, mask, strict=True) if kept]
        for ids, mask in zip(prompt_ids.tolist(), is_token, strict=True)
    ]
    lengths = completion_mask.sum(1).tolist()
    passes = []
    for start in range(0, rows, batch_size):
        chunk = slice(start, min(start + batch_size, rows))
        distinct = distinct_prompts(prompts[chunk], partial(pictures.are_equal, offset=start))
        first = [start + row for row in distinct.first]
        padding = split - max(len(prompts[row]) for row in first)
        longest = max(1, *lengths[chunk])
        passes.append(
            SharedPass(
                distinct=distinct,
                prompt_ids=prompt_ids[first, padding:],
                prompt_mask=prompt_mask[first, padding:],
                pictures=pictures.narrow(first),
                completion_ids=completion_ids[chunk, :longest],
                completion_mask=completion_mask[chunk, :longest],
            )
        )
    return passes
