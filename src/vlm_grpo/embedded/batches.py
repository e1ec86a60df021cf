"""Exercises as model inputs, the quick way: whole batches of pictures at once, no image file, no per-image resizing.

The processors that ship with the checkpoints give the same token ids and the same pixels; a test holds them to it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from vlm_grpo.embedded.lessons import Exercise

IGNORED = -100


class PixelInputs(Protocol):
    """Pictures as uint8 (B, H, W, 3) to the family's vision inputs."""

    def __call__(self, pictures: np.ndarray) -> dict[str, torch.Tensor]:
        """Tensors for a whole batch."""
        ...


@dataclass(frozen=True, kw_only=True)
class Collator:
    """Turns exercises into training batches.

    Attributes:
        tokenizer: the family's tokenizer.
        before, after: the text of a user turn around the question, image placeholders written out.
        end: the token that ends an assistant turn.
        answer_prefix: what stands between the generation prompt and the target ("" or " ").
        image_token_id: id of the image placeholder.
        picture: a scene as uint8 (H, W, 3).
        pixel_inputs: the family's vision inputs.
        token_types: whether the model wants `mm_token_type_ids` (1 on image tokens).
    """

    tokenizer: Any
    before: str
    after: str
    end: str
    answer_prefix: str
    image_token_id: int
    picture: Callable[[Any], np.ndarray]
    pixel_inputs: PixelInputs
    token_types: bool

    def prompt(self, exercise: Exercise[Any]) -> str:
        """The chat up to and with the generation prompt, image placeholders written out."""
        return self.before + exercise.question + self.after

    def __call__(self, exercises: list[Exercise[Any]]) -> dict[str, torch.Tensor]:
        """Right-padded `input_ids`, `attention_mask`, `labels` (B, L; loss on the target and end token) and pixels."""
        prompts = self.tokenizer([self.prompt(e) for e in exercises])["input_ids"]
        targets = self.tokenizer([self.answer_prefix + e.target + self.end for e in exercises])["input_ids"]
        length = max(len(p) + len(t) for p, t in zip(prompts, targets, strict=True))
        ids = torch.full((len(exercises), length), self.tokenizer.pad_token_id)
        labels = torch.full_like(ids, IGNORED)
        mask = torch.zeros_like(ids)
        for row, (p, t) in enumerate(zip(prompts, targets, strict=True)):
            total = len(p) + len(t)
            ids[row, :total] = torch.tensor(p + t)
            labels[row, len(p) : total] = torch.tensor(t)
            mask[row, :total] = 1
        batch = {"input_ids": ids, "attention_mask": mask, "labels": labels}
        if self.token_types:
            batch["mm_token_type_ids"] = (ids == self.image_token_id).long()
        pictures = np.stack([self.picture(e.scene) for e in exercises])
        return batch | self.pixel_inputs(pictures)
