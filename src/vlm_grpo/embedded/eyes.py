"""Teach the vision tower alone, before the whole model: what is in each cell of a picture?

A linear head reads every image token, says one class or several of it, and is thrown away afterwards. Sixteen labels a
picture and no text to find one's way in: handwritten digits are learnt in minutes. A whole model that has to learn both
at once stays for hundreds of steps where it knows that something is there, but not what.
"""

import random

import numpy as np
import torch
from tqdm import tqdm
from transformers import PreTrainedModel

from vlm_grpo.embedded.batches import Collator
from vlm_grpo.embedded.descent import Descent
from vlm_grpo.embedded.lessons import Eyes

_SHARPNESS = 2.0
"""Length of the directions that classes have evenly."""


def teach_eyes(model: PreTrainedModel, collator: Collator, eyes: Eyes, *, seed: int) -> None:
    """Train the vision tower of `model` in place; a bar shows the loss and the share of things named right."""
    rng = random.Random(f"eyes {seed}")
    torch.manual_seed(seed)
    head = class_head(model.config.text_config.hidden_size, eyes)
    model.train()
    descent = Descent([*model.model.visual.parameters(), *head.parameters()], peak=eyes.peak, steps=eyes.steps)
    bar = tqdm(range(eyes.steps), desc="eyes", mininterval=5.0)
    for _ in bar:
        scenes = [eyes.draw(rng) for _ in range(eyes.batch_size)]
        labels = torch.tensor([eyes.cells(scene) for scene in scenes]).reshape(-1, len(eyes.classes))
        pixels = collator.pixel_inputs(np.stack([collator.picture(scene) for scene in scenes]))
        logits = head(torch.cat(model.get_image_features(**pixels).pooler_output)).split(eyes.classes, dim=-1)
        answers = list(zip(logits, labels.T, strict=True))
        loss = torch.stack([torch.nn.functional.cross_entropy(*answer) for answer in answers]).sum()
        descent.step(loss)
        right = torch.stack([said.argmax(-1) == truth for said, truth in answers], dim=1)
        named = right[labels > 0].float().mean().item()
        bar.set_postfix(loss=f"{loss.item():.3f}", named=f"{named:.0%}", refresh=False)
    model.eval()


def class_head(width: int, eyes: Eyes) -> torch.nn.Module:
    """Image tokens (N, `width`) to logits of all classes; evenly, only the direction of a token counts."""
    head = torch.nn.Linear(width, sum(eyes.classes), bias=not eyes.evenly)
    if not eyes.evenly:
        return head
    with torch.no_grad():
        head.weight.copy_(_SHARPNESS * torch.nn.functional.normalize(head.weight, dim=-1))
    return torch.nn.Sequential(torch.nn.RMSNorm(width, elementwise_affine=False), head.requires_grad_(False))
