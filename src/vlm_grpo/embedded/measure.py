"""Measure a saved embedded checkpoint as users meet it: from its folder, through its adapter, with its own processor.

Three figures tell policy from eyes: what the model answers when it is most likely to (`greedy`), how it answers when
sampled (`sampled`), and how often it is right once it has begun to reason (`reasoning`).
"""

from pathlib import Path
from typing import Any

import torch

from vlm_grpo.adapters.checkpoint import Checkpoint, open_checkpoint
from vlm_grpo.embedded.curriculum import STATEMENT
from vlm_grpo.embedded.scenes import render
from vlm_grpo.embedded.synthetic_vsr import Item, draw_split
from vlm_grpo.evaluation.answers import extract_answer
from vlm_grpo.prompts import messages

ROWS = 344
BATCH = 64
MAX_NEW_TOKENS = 40
REASONING_START = "<think> The"


def measure(folder: Path, *, seed: int, rows: int = ROWS) -> dict[str, dict[str, float]]:
    """Accuracy, parse rate and share of reasoning completions (fractions) on `rows` of synthetic validation."""
    items = draw_split("validation", rows, seed=seed)
    checkpoint = open_checkpoint(str(folder))
    processor = checkpoint.load_processor()
    model = checkpoint.load_model(dtype=torch.float32).eval()
    torch.manual_seed(seed)

    def complete(*, template: str, start: str = "", sample: bool = False) -> list[str]:
        texts = []
        for at in range(0, len(items), BATCH):
            batch = items[at : at + BATCH]
            texts += _complete(checkpoint, processor, model, batch, template=template, start=start, sample=sample)
        return texts

    return {
        "greedy": _scores(complete(template="reason"), items, rule="strict"),
        "sampled": _scores(complete(template="reason", sample=True), items, rule="strict"),
        "reasoning": _scores(complete(template="reason", start=REASONING_START), items, rule="strict"),
        "bare": _scores(complete(template="answer"), items, rule="bare"),
    }


@torch.no_grad()
def _complete(
    checkpoint: Checkpoint, processor: Any, model: Any, items: list[Item], *, template: str, start: str, sample: bool
) -> list[str]:
    texts = []
    for item in items:
        chat = messages(template, STATEMENT.format(caption=item.caption), images=1)
        prompt = processor.apply_chat_template(chat, add_generation_prompt=True)
        gap = " " if start and prompt.endswith(":") else ""
        texts.append(prompt + gap + start)
    inputs = checkpoint.adapter.encode(processor, texts, [[render(item.scene)] for item in items])
    sampling = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0} if sample else {"do_sample": False}
    tokens = model.generate(**inputs, max_new_tokens=MAX_NEW_TOKENS, use_cache=True, **sampling)
    new = tokens[:, inputs["input_ids"].shape[1] :]
    return [start + text for text in processor.tokenizer.batch_decode(new, skip_special_tokens=True)]


def _scores(texts: list[str], items: list[Item], *, rule: Any) -> dict[str, float]:
    answers = [extract_answer(text, rule) for text in texts]
    right = [answer == bool(item.label) for answer, item in zip(answers, items, strict=True)]
    reasoned = [REASONING_START in text for text in texts]
    return {
        "rows": len(items),
        "accuracy": sum(right) / len(items),
        "parse_rate": sum(answer is not None for answer in answers) / len(items),
        "predicted_true": sum(answer is True for answer in answers) / len(items),
        "reasoned": sum(reasoned) / len(items),
        "reasoned_and_right": sum(r and ok for r, ok in zip(reasoned, right, strict=True)) / len(items),
    }
