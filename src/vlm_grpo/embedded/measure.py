"""Ask a saved embedded checkpoint as users do: from its folder, through its adapter, with its own processor.

Three figures tell policy from eyes: what the model says when it says the likeliest (`greedy`), what it says when
sampled at temperature 1 (`sampled`), and how often it is right once it has begun to reason (`reasoning`). A fourth is
for the other arm of the study: the bare problem (`bare`). `measure` takes them on synthetic_vsr; `measure_digits` and
`measure_cryptogram` do on their tasks.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL.Image import Image

from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.embedded.scenes import render
from vlm_grpo.embedded.synthetic_vsr import DEFAULT_ROWS, SceneRow, as_row, draw_split
from vlm_grpo.prompts import TRUE_FALSE, messages
from vlm_grpo.tasks.answers.rules import Rule
from vlm_grpo.tasks.answers.truth import TRUTH

BATCH = 64
MAX_NEW_TOKENS = 40
REASONING_START = "<think> The"

Figures = dict[str, dict[str, float]]
"""For each way of asking, and for each slice of the rows: what was measured, by name."""


class Way(NamedTuple):
    """A way of asking: prompt template, whether the completion is made to begin with a thought, sampled or greedy."""

    template: str
    made_to_reason: bool
    sample: bool


WAYS = {
    "greedy": Way("reason", False, False),
    "sampled": Way("reason", False, True),
    "reasoning": Way("reason", True, False),
    "bare": Way("answer", False, False),
}


class MeasuredRow(NamedTuple):
    """One row as the model meets it: `problem`, what it `asks` for, the picture."""

    problem: str
    asks: str
    picture: Image


def completions(
    folder: Path,
    rows: Sequence[MeasuredRow],
    ways: Sequence[str],
    *,
    start: str,
    seed: int,
    longest: int = MAX_NEW_TOKENS,
) -> Iterator[tuple[str, list[str]]]:
    """What the checkpoint in `folder` says to `rows` in each of `ways`, weights computed in float32.

    `start` is how a thought begins; where a way makes the model reason, completions are given with it. `longest` is in
    tokens.
    """
    checkpoint = open_checkpoint(str(folder))
    processor = checkpoint.load_processor()
    model = checkpoint.load_model(dtype=torch.float32).eval()
    torch.manual_seed(seed)
    for name in ways:
        way = WAYS[name]
        begun = start if way.made_to_reason else ""
        texts: list[str] = []
        for at in range(0, len(rows), BATCH):
            batch = rows[at : at + BATCH]
            prompts = [_prompt(processor, row, way.template, begun) for row in batch]
            inputs = checkpoint.adapter.encode(processor, prompts, [[row.picture] for row in batch])
            texts += [begun + text for text in _continue(model, processor, inputs, sample=way.sample, longest=longest)]
        yield name, texts


def measure(
    folder: Path, *, seed: int, rows: int = DEFAULT_ROWS["validation"], ways: tuple[str, ...] = tuple(WAYS)
) -> Figures:
    """Fractions of `rows` of synthetic validation for each of `ways`.

    `accuracy` is right answers, `parse_rate` readable ones, `predicted_true` the share that says True, `reasoned` the
    share that reasons rather than guesses, `reasoned_and_right` the share that reasons and is right.
    """
    items = draw_split("validation", rows, seed=seed)
    asked = [MeasuredRow(as_row(item).problem, TRUE_FALSE, render(item.scene)) for item in items]
    said = completions(folder, asked, ways, start=REASONING_START, seed=seed)
    return {name: _scores(texts, items, rule="bare" if name == "bare" else "strict") for name, texts in said}


def _prompt(processor: Any, row: MeasuredRow, template: str, begun: str) -> str:
    chat = messages(template, row.problem, images=1, asks=row.asks)
    prompt = processor.apply_chat_template(chat, add_generation_prompt=True)
    gap = " " if begun and not prompt[-1].isspace() else ""
    return prompt + gap + begun


@torch.no_grad()
def _continue(model: Any, processor: Any, inputs: Any, *, sample: bool, longest: int) -> list[str]:
    sampling = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0} if sample else {"do_sample": False}
    tokens = model.generate(**inputs, max_new_tokens=longest, use_cache=True, **sampling)
    new = tokens[:, inputs["input_ids"].shape[1] :]
    return processor.tokenizer.batch_decode(new, skip_special_tokens=True)


def _scores(texts: list[str], items: list[SceneRow], *, rule: Rule) -> dict[str, float]:
    answers = [TRUTH.read(text, rule) for text in texts]
    right = [answer == bool(item.record.label) for answer, item in zip(answers, items, strict=True)]
    reasoned = [REASONING_START in text for text in texts]
    return {
        "rows": len(items),
        "accuracy": sum(right) / len(items),
        "parse_rate": sum(answer is not None for answer in answers) / len(items),
        "predicted_true": sum(answer is True for answer in answers) / len(items),
        "reasoned": sum(reasoned) / len(items),
        "reasoned_and_right": sum(r and ok for r, ok in zip(reasoned, right, strict=True)) / len(items),
    }
