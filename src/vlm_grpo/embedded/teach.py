"""Train a model with random weights on the curriculum: plain AdamW, one learning-rate cycle for each stage."""

import random
from collections.abc import Sequence
from typing import Any

import torch
from tqdm import tqdm
from transformers import PreTrainedModel

from vlm_grpo.embedded.batches import IGNORED, Collator
from vlm_grpo.embedded.lessons import Draw, Exercise, Stage, draw_batch

PROBE_ROWS = 128
PROBE_EVERY = 50
BETAS = (0.9, 0.98)
WEIGHT_DECAY = 0.01
MAX_GRADIENT_NORM = 1.0
WARMUP = 0.1
"""Share of a stage over which the learning rate rises."""


def teach(model: PreTrainedModel, collator: Collator, stages: Sequence[Stage], *, probe: Draw, seed: int) -> None:
    """Train `model` in place through `stages`; a bar shows the loss and the share of right `probe` answers."""
    rng = random.Random(f"pretrain {seed}")
    probe_rng = random.Random(f"probe {seed}")
    probes = [probe(probe_rng) for _ in range(PROBE_ROWS)]
    model.train()
    for stage in stages:
        optimizer = torch.optim.AdamW(model.parameters(), lr=stage.peak, betas=BETAS, weight_decay=WEIGHT_DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, stage.peak, total_steps=stage.steps + 1, pct_start=WARMUP
        )
        bar = tqdm(range(stage.steps), desc=stage.name, mininterval=5.0)
        exact = 0.0
        for step in bar:
            exercises = draw_batch(stage.mixture(step / stage.steps), stage.batch_size, rng)
            loss = model(**collator(exercises)).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_GRADIENT_NORM)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            if (step + 1) % PROBE_EVERY == 0:
                exact = exact_share(model, collator, probes)
            bar.set_postfix(loss=f"{loss.item():.3f}", reasoning=f"{exact:.0%}", refresh=False)
    model.eval()


@torch.no_grad()
def exact_share(model: PreTrainedModel, collator: Collator, exercises: list[Exercise[Any]]) -> float:
    """Share of `exercises` whose every target token is the most likely one, given the tokens before it."""
    batch = collator(exercises)
    likeliest = model(**batch).logits[:, :-1].argmax(-1)
    labels = batch["labels"][:, 1:]
    right = ((likeliest == labels) | (labels == IGNORED)).all(dim=1)
    return right.float().mean().item()
