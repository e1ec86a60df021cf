"""What a page or an animation shows of a look: pictures, pieces of text, and a colour's strength for each."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

from vlm_grpo.attention.look import Look
from vlm_grpo.evaluation.inputs import EvaluationInputs
from vlm_grpo.rows.pictures import open_picture
from vlm_grpo.tasks.registry import task_of

CURVE = 0.4
"""Strength is the attention, over the largest of its step, to this power: r1_vlm's, so that little things show."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One look, ready to draw.

    Attributes:
        name: what was looked at; `row` is the id of the row, `problem` its question.
        answer: what the completion is worth, in words.
        pictures: the row's pictures.
        look: the figures.
        tokens: the completion, a piece a token.
        context: the prompt around its pictures: (place, piece) of each token that stands for no picture; those of a
            soft prompt are numbers.
        on_picture, on_prompt, on_completion: what of each token's attention went where; they sum to one.
    """

    name: str
    row: str
    problem: str
    answer: str
    pictures: list[Image.Image]
    look: Look
    tokens: list[str]
    context: list[tuple[int, str]]
    on_picture: list[float]
    on_prompt: list[float]
    on_completion: list[float]

    @property
    def cell_strengths(self) -> torch.Tensor:
        """(tokens, cells), 0 to 1, each step over its own largest."""
        return strength(self.look.on_cells)

    @property
    def text_strengths(self) -> torch.Tensor:
        """(tokens, prompt and completion pieces), 0 to 1; the first token, where attention rests, is left out."""
        places = [place for place, _ in self.context] + list(range(self.look.prompt_length, len(self.look.ids)))
        weights = self.look.weights[:, places].clone()
        weights[:, [at for at, place in enumerate(places) if place == 0]] = 0.0
        return strength(weights)

    def figures(self) -> dict[str, Any]:
        """What `attention.json` holds."""
        return {
            "row": self.row,
            "model": self.name,
            "layer": self.look.layer,
            "layers": self.look.layers,
            "tokens": self.tokens,
            "cells": [{"picture": cell.picture, "box": cell.box} for cell in self.look.cells],
            "on_cells": [[round(value, 6) for value in row] for row in self.look.on_cells.tolist()],
            "on_picture": self.on_picture,
            "on_prompt": self.on_prompt,
            "on_completion": self.on_completion,
        }


def strength(weights: torch.Tensor) -> torch.Tensor:
    """`weights` (steps, places) as strengths of a colour, 0 to 1."""
    if not weights.shape[1]:
        return weights
    return (weights / weights.amax(dim=1, keepdim=True).clamp(min=1e-12)) ** CURVE


def packed(strengths: torch.Tensor) -> str:
    """One byte a strength, in base64."""
    return base64.b64encode((strengths * 255).round().to(torch.uint8).numpy().tobytes()).decode()


def show(seen: Look, inputs: EvaluationInputs, *, name: str) -> Shown:
    """`seen`, of the one row of `inputs`, with its texts and pictures."""
    tokenizer, row = inputs.processor.tokenizer, inputs.asked[0].row
    start, cells = seen.prompt_length, {cell.token for cell in seen.cells}
    completion = seen.ids[start:]
    text = tokenizer.decode(completion, skip_special_tokens=True)
    outcome = task_of(row).outcome(text, row, rule=inputs.settled.settings.answers, view=inputs.views[row.id])
    verdict = "no readable answer" if outcome.said is None else "right" if outcome.right else "wrong"
    shares = [
        [round(value, 6) for value in seen.weights[:, places].sum(dim=1).tolist()]
        for places in (sorted(cells), [at for at in range(start) if at not in cells], list(range(start, len(seen.ids))))
    ]
    virtual = inputs.model.adapter.virtual_tokens
    pieces = [f"[{number}]" for number in range(1, virtual + 1)] + pieces_of(tokenizer, seen.ids[virtual:start])
    return Shown(
        name=name,
        row=row.id,
        problem=row.problem,
        answer=verdict,
        pictures=[open_picture(inputs.settled.settings.root, picture) for picture in row.images],
        look=seen,
        tokens=pieces_of(tokenizer, completion),
        context=[(place, piece) for place, piece in enumerate(pieces) if place not in cells],
        on_picture=shares[0],
        on_prompt=shares[1],
        on_completion=shares[2],
    )


def pieces_of(tokenizer: Any, ids: Sequence[int]) -> list[str]:
    """The text of `ids`, a piece a token; a character of several tokens stands with its last one."""
    pieces, text = [], ""
    for end in range(1, len(ids) + 1):
        longer = tokenizer.decode(ids[:end], skip_special_tokens=False)
        whole = longer if not longer.endswith("\ufffd") else text
        pieces.append(whole[len(text) :])
        text = whole
    return pieces
