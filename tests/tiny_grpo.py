"""Trainers over random tiny models, TRL's and ours with the same weights, and batches to score with both."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from peft import LoraConfig
from PIL import Image
from trl import GRPOConfig, GRPOTrainer

from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.methods.fast.arguments import FastArguments
from vlm_grpo.methods.fast.trainer import FastGRPOTrainer

DEVICE = os.environ.get("VLM_GRPO_TEST_DEVICE", "cpu")
"""Where these trainers compute: "cuda" proves the fast path on a GPU."""
LORA_SCALE = 0.05
SIZES = [(112, 112), (224, 112), (112, 112), (112, 224)]
PICTURES = [
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))
    for seed, (width, height) in enumerate(SIZES)
]
"""Square ones, and ones of two squares, which families with tiles show in several."""
Ask = tuple[str, list[int]]
"""A question and the numbers of the pictures it is about."""
SHORT, LONG = "Red?", "Is the following statement true: The red circle is left of the blue square, above it, or below."


def ask(*asked: Ask, times: int) -> list[dict[str, Any]]:
    """Rows as TRL reads them, each question `times` times in turn, its pictures copied as if opened anew."""
    return [
        {"prompt": [{"role": "user", "content": text}], "images": [PICTURES[number].copy() for number in pictures]}
        for text, pictures in asked
        for _ in range(times)
    ]


def make_trainer(
    checkpoint: Path,
    out: Path,
    *,
    fast: FastArguments | None = None,
    rows: int = 8,
    tower: bool = False,
    whole: bool = False,
    attention: str = "sdpa",
    kind: type[GRPOTrainer] = GRPOTrainer,
    **settings: Any,
) -> GRPOTrainer:
    """A trainer of `kind` where `fast` is None, else ours; its LoRA weights matter, as fresh ones do not.

    `tower` puts LoRA into the vision tower too, `whole` leaves it out: the weights train. `settings` are TRL's.
    """
    base = open_checkpoint(str(checkpoint))
    model = base.load_model(dtype=torch.float32, attention=attention)
    targets = rf"{base.adapter.lora_targets}|.*\.(visual|vision_model|vision_tower)\..*(qkv|q_proj|fc1)"
    lora = LoraConfig(r=4, lora_alpha=8, target_modules=targets if tower else base.adapter.lora_targets)
    arguments = {
        "bf16": False,
        "num_generations": 2,
        "max_completion_length": 6,
        "beta": 0.04,
        "temperature": 0.9,
        "gradient_checkpointing": False,
        "loss_type": "grpo",
        "seed": 1,
    }
    args = GRPOConfig(
        output_dir=str(out),
        per_device_train_batch_size=rows,
        use_cpu=DEVICE == "cpu",
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        **arguments | settings,
    )
    torch.manual_seed(7)
    trainer: GRPOTrainer = (kind if fast is None else FastGRPOTrainer)(
        model=model,
        args=args,
        processing_class=base.load_processor(),
        reward_funcs=[vowels],
        train_dataset=Dataset.from_list(ask((SHORT, [0]), (LONG, [1]), (SHORT, [2]), (LONG, [3]), times=2)),
        peft_config=None if whole else lora,
        **({} if fast is None else {"fast": fast}),
    )
    generator = torch.Generator().manual_seed(5)
    for name, parameter in trainer.model.named_parameters():
        if "lora_B" in name:
            parameter.data.copy_(torch.empty(parameter.shape).normal_(std=LORA_SCALE, generator=generator))
    trainer.current_gradient_accumulation_steps = 1
    trainer.model.train()
    return trainer


def vowels(completions: list[Any], **_: Any) -> list[float]:
    """A reward that a random model's gibberish earns in different amounts."""
    return [float(sum(letter in "aeiou" for letter in turns[0]["content"])) for turns in completions]


def score(trainer: GRPOTrainer, batch: dict[str, Any]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Log-probabilities (B, C) of the policy on `batch` and the gradients of its loss."""
    seen: list[torch.Tensor] = []
    stock = trainer._get_per_token_logps_and_entropies

    def keep(*args: Any, **kwargs: Any) -> Any:
        loss = stock(*args, **kwargs)
        seen.append(loss[0].detach())
        return loss

    trainer._get_per_token_logps_and_entropies = keep
    trainer.model.zero_grad()
    trainer.compute_loss(trainer.model, batch).backward()
    del trainer._get_per_token_logps_and_entropies
    gradients = {n: p.grad.clone() for n, p in trainer.model.named_parameters() if p.grad is not None}
    return seen[0], gradients


def distance(tensors: dict[str, torch.Tensor], reference: dict[str, torch.Tensor]) -> float:
    """Norm of the difference of two sets of gradients over the norm of the reference."""
    assert tensors.keys() == reference.keys()
    gap = sum((tensors[name] - reference[name]).pow(2).sum() for name in reference)
    return (gap / sum(g.pow(2).sum() for g in reference.values())).sqrt().item()
