"""A LoRA adapter with random weights, saved as training saves one."""

import json
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model

from vlm_grpo.adapters.checkpoint import open_checkpoint


def save_tiny_lora(folder: Path, base: Path, *, seed: int = 1, scale: float = 0.05) -> Path:
    """Write an adapter of `base` to `folder`; with a `scale` of 0 it changes nothing."""
    checkpoint = open_checkpoint(str(base))
    config = LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=8, target_modules=checkpoint.adapter.lora_targets)
    torch.manual_seed(seed)
    model = get_peft_model(checkpoint.load_model(dtype=torch.float32), config)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=scale)
    model.save_pretrained(folder)
    note = {"name": str(base), "fingerprint": checkpoint.fingerprint, "family": checkpoint.adapter.family}
    (folder / "base.json").write_text(json.dumps(note))
    return folder
