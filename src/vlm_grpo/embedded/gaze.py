"""Teach where to look: while a model speaks of a shape, some heads are to attend to the image token that shows it.

A model of a million parameters reads the edges of a shape that is alone long before it looks up, among several, the one
that a text names: which of them is meant, the loss on the answer hardly tells. Said directly it is learnt in minutes.
The heads are an attention like any other afterwards: nothing of this is left in the checkpoint but its weights.
"""

from dataclasses import dataclass
from typing import Any

import torch

from vlm_grpo.embedded.batches import Collator
from vlm_grpo.embedded.lessons import Exercise

HEADS = ((1, 0), (2, 0))
"""The heads that are taught: (layer, head), counted from 0."""
_LEAST = 1e-6


@dataclass(frozen=True)
class Looks:
    """Places in a batch where something is to be looked at: rows, tokens, and the tokens to attend to; all (N,)."""

    rows: torch.Tensor
    tokens: torch.Tensor
    at: torch.Tensor


def looks(collator: Collator, exercises: list[Exercise[Any]], batch: dict[str, torch.Tensor]) -> Looks:
    """Where in `batch`, made of `exercises`, which image token is to be looked at."""
    places = []
    for row, exercise in enumerate(exercises):
        text = collator.answer_prefix + exercise.target + collator.end
        spans = collator.tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
        begins = int((batch["labels"][row] >= 0).nonzero()[0])
        image = int((batch["input_ids"][row] == collator.image_token_id).nonzero()[0])
        shift = len(collator.answer_prefix)
        for look in exercise.looks:
            places += [
                (row, begins + token, image + look.cell)
                for token, (start, end) in enumerate(spans)
                if look.start <= start - shift and end - shift <= look.end
            ]
    rows, tokens, at = torch.tensor(places, dtype=torch.long).reshape(-1, 3).T
    return Looks(rows, tokens, at)


def gaze_loss(attentions: tuple[torch.Tensor, ...], looks: Looks) -> torch.Tensor:
    """Mean over heads and places of -log of the attention given to what is to be looked at, 0 without any place."""
    given = [attentions[layer][looks.rows, head, looks.tokens, looks.at] for layer, head in HEADS]
    missed = -torch.log(torch.stack(given) + _LEAST)
    return missed.sum() / max(1, missed.numel())
