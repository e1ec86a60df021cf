"""Train a model on the exercises of a curriculum, one learning-rate cycle for each stage."""

import random
from collections.abc import Sequence
from typing import Any

import torch
from tqdm import tqdm
from transformers import PreTrainedModel

from vlm_grpo.embedded.batches import IGNORED, Collator
from vlm_grpo.embedded.descent import Descent
from vlm_grpo.embedded.gaze import gaze_loss, looks
from vlm_grpo.embedded.lessons import Draw, Exercise, Stage, draw_batch

PROBE_ROWS = 128
PROBE_EVERY = 50
_TOWERS = ("visual", "vision_model", "vision_tower")


def teach(model: PreTrainedModel, collator: Collator, stages: Sequence[Stage], *, probe: Draw, seed: int) -> None:
    """Train `model` in place through `stages`; a bar shows the loss and the share of right `probe` answers."""
    rng = random.Random(f"pretrain {seed}")
    probe_rng = random.Random(f"probe {seed}")
    probes = [probe(probe_rng) for _ in range(PROBE_ROWS)]
    model.train()
    for stage in stages:
        model.set_attn_implementation("eager" if stage.gaze else "sdpa")
        _vision(model).requires_grad_(stage.sees)
        descent = Descent(model.parameters(), peak=stage.peak, steps=stage.steps)
        bar = tqdm(range(stage.steps), desc=stage.name, mininterval=5.0)
        exact = 0.0
        for step in bar:
            exercises = draw_batch(stage.mixture(step / stage.steps), stage.batch_size, rng)
            loss = _loss(model, collator, exercises, gaze=stage.gaze)
            descent.step(loss)
            if (step + 1) % PROBE_EVERY == 0:
                exact = exact_share(model, collator, probes)
            bar.set_postfix(loss=f"{loss.item():.3f}", reasoning=f"{exact:.0%}", refresh=False)
    model.eval()


def _vision(model: PreTrainedModel) -> torch.nn.Module:
    """The vision tower; Idefics3 and InternVL name it otherwise than Qwen."""
    return next(getattr(model.model, name) for name in _TOWERS if hasattr(model.model, name))


def _loss(model: PreTrainedModel, collator: Collator, exercises: list[Exercise[Any]], *, gaze: float) -> torch.Tensor:
    batch = collator(exercises)
    if not gaze:
        return model(**batch).loss
    said = model(**batch, output_attentions=True)
    return said.loss + gaze * gaze_loss(said.attentions, looks(collator, exercises, batch))


@torch.no_grad()
def exact_share(model: PreTrainedModel, collator: Collator, exercises: list[Exercise[Any]]) -> float:
    """Share of `exercises` whose every target token is the most likely one, given the tokens before it."""
    batch = collator(exercises)
    likeliest = model(**batch).logits[:, :-1].argmax(-1)
    labels = batch["labels"][:, 1:]
    right = ((likeliest == labels) | (labels == IGNORED)).all(dim=1)
    return right.float().mean().item()
