"""A tiny model with random weights, taught in seconds to call `zoom`, well and badly, or to answer at once.

It has learnt a handful of conversations by heart and draws from them: whole completions in which an environment takes
part can run with it, with as many pictures in each as chance brings. It does not look at what it is shown.
"""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from transformers import AddedToken

from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.rows import dataset
from vlm_grpo.rows.records import Row

CONTEXT = 2048
SIZES = ((700, 500), (450, 640), (300, 420), (900, 410))
"""Of the pictures: the zoom's come out in as many sizes."""
STEPS, DRAWN, RATE = 70, 4, 3e-3
OPENING = "<|im_start|>assistant\n"
Turns = list[dict[str, Any]]


def save_tiny_digits(root: Path) -> Path:
    """A data set of four blotted pictures, each in its own colours, in which three digits are a few pixels high."""
    (root / "images").mkdir(parents=True)
    rows = []
    for number, size in enumerate(SIZES):
        digits = [(number * 3 + k) % 10 for k in range(3)]
        blots = np.random.default_rng(number).integers(0, 256, (size[1] // 60, size[0] // 60, 3), dtype=np.uint8)
        picture = Image.fromarray(blots).resize(size, Image.Resampling.NEAREST)
        for k, digit in enumerate(digits):
            ImageDraw.Draw(picture).text((size[0] * (k + 1) // 4, size[1] // 2), str(digit), fill="black", font_size=8)
        picture.save(root / f"images/{number}.png")
        rows.append(
            Row(
                id=f"train-{number}",
                images=(f"images/{number}.png",),
                problem="What is the sum of the digits in the picture?",
                solution=str(sum(digits)),
                task="digits",
                meta={"question": "sum", "count": 3},
            )
        )
    dataset.save(root, {"train": rows}, source={"name": "tiny digits"}, config={}, seconds=0.0)
    return root


def teach(
    checkpoint: Path, conversations: Sequence[Turns], *, phrases: Sequence[str], tools: list[Any] | None = None
) -> None:
    """Train the model in the folder `checkpoint` on what the assistant says in `conversations`, until it knows them.

    Each of `phrases` becomes one token, which keeps sequences short.
    """
    base = open_checkpoint(str(checkpoint))
    model, processor = base.load_model(dtype=torch.float32), base.load_processor()
    processor.tokenizer.add_tokens([AddedToken(phrase, normalized=False, special=False) for phrase in phrases])
    processor.tokenizer.save_pretrained(checkpoint)
    torch.manual_seed(0)
    model.resize_token_embeddings(len(processor.tokenizer), mean_resizing=False)
    model.config.text_config.max_position_embeddings = CONTEXT
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0)
    draw = random.Random(0)
    model.train()
    for step in range(STEPS):
        optimiser.param_groups[0]["lr"] = RATE * (1 - step / STEPS)
        loss = model(**_batch(processor, draw.sample(conversations, DRAWN), tools)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
    model.save_pretrained(checkpoint)


def _batch(processor: Any, conversations: Sequence[Turns], tools: list[Any] | None) -> dict[str, torch.Tensor]:
    texts = [processor.apply_chat_template(turns, tools=tools, tokenize=False) for turns in conversations]
    pictures = [
        [part["image"] for turn in turns if not isinstance(turn["content"], str) for part in turn["content"][:-1]]
        for turns in conversations
    ]
    batch = processor(text=texts, images=pictures, padding=True, padding_side="right", return_tensors="pt")
    labels = torch.full_like(batch["input_ids"], -100)
    opening = torch.tensor(processor.tokenizer(OPENING)["input_ids"])
    for row, ids in enumerate(batch["input_ids"]):
        for at in (ids.unfold(0, len(opening), 1) == opening).all(1).nonzero().flatten().tolist():
            start = at + len(opening)
            stop = start + int((ids[start:] == processor.tokenizer.eos_token_id).nonzero()[0]) + 1
            labels[row, start:stop] = ids[start:stop]
    return {**batch, "labels": labels}
