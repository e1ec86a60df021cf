"""Measure a saved embedded checkpoint as users meet it: from its folder, through its adapter, with its own processor.

Three figures tell policy from eyes: what the model says when it says the likeliest (`greedy`), what it says when
sampled at temperature 1 (`sampled`), and how often it is right once it has begun to reason (`reasoning`). A fourth is
for the other arm of the study: the bare problem (`bare`).
"""

from pathlib import Path
from typing import Any, NamedTuple

import torch

from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.embedded.scenes import render
from vlm_grpo.embedded.synthetic_vsr import DEFAULT_ROWS, Item, as_row, draw_split
from vlm_grpo.prompts import messages
from vlm_grpo.tasks.answers.rules import Rule
from vlm_grpo.tasks.answers.truth import TRUTH

BATCH = 64
MAX_NEW_TOKENS = 40
REASONING_START = "<think> The"


class Way(NamedTuple):
    """A way of asking: prompt template, how the completion begins, sampled or greedy, rule of reading the answer."""

    template: str
    start: str
    sample: bool
    rule: Rule


WAYS = {
    "greedy": Way("reason", "", False, "strict"),
    "sampled": Way("reason", "", True, "strict"),
    "reasoning": Way("reason", REASONING_START, False, "strict"),
    "bare": Way("answer", "", False, "bare"),
}


def measure(
    folder: Path, *, seed: int, rows: int = DEFAULT_ROWS["validation"], ways: tuple[str, ...] = tuple(WAYS)
) -> dict[str, dict[str, float]]:
    """Fractions of `rows` of synthetic validation for each of `ways`, weights computed in float32.

    `accuracy` is right answers, `parse_rate` readable ones, `predicted_true` the share that says True, `reasoned` the
    share that reasons rather than guesses, `reasoned_and_right` the share that reasons and is right.
    """
    items = draw_split("validation", rows, seed=seed)
    checkpoint = open_checkpoint(str(folder))
    processor = checkpoint.load_processor()
    model = checkpoint.load_model(dtype=torch.float32).eval()
    torch.manual_seed(seed)
    figures = {}
    for name in ways:
        way = WAYS[name]
        texts: list[str] = []
        for at in range(0, len(items), BATCH):
            batch = items[at : at + BATCH]
            prompts = [_prompt(processor, item, way) for item in batch]
            inputs = checkpoint.adapter.encode(processor, prompts, [[render(item.scene)] for item in batch])
            texts += [way.start + text for text in _continue(model, processor, inputs, sample=way.sample)]
        figures[name] = _scores(texts, items, rule=way.rule)
    return figures


def _prompt(processor: Any, item: Item, way: Way) -> str:
    chat = messages(way.template, as_row(item).problem, images=1)
    prompt = processor.apply_chat_template(chat, add_generation_prompt=True)
    gap = " " if way.start and not prompt[-1].isspace() else ""
    return prompt + gap + way.start


@torch.no_grad()
def _continue(model: Any, processor: Any, inputs: Any, *, sample: bool) -> list[str]:
    sampling = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0} if sample else {"do_sample": False}
    tokens = model.generate(**inputs, max_new_tokens=MAX_NEW_TOKENS, use_cache=True, **sampling)
    new = tokens[:, inputs["input_ids"].shape[1] :]
    return processor.tokenizer.batch_decode(new, skip_special_tokens=True)


def _scores(texts: list[str], items: list[Item], *, rule: Rule) -> dict[str, float]:
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
