"""A soft prompt whose virtual tokens are the embeddings of real words, saved as training saves one."""

import json
from pathlib import Path

import torch
from peft import PromptTuningConfig

from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.adapters.soft_prompt import SoftPromptModel

WORDS = "True False above"


def save_tiny_soft_prompt(folder: Path, base: str, *, words: str = WORDS) -> Path:
    """Write a soft prompt of the checkpoint `base` to `folder`: it says what `words` before the prompt would say."""
    checkpoint = open_checkpoint(base)
    model = checkpoint.load_model(dtype=torch.float32)
    ids = checkpoint.load_processor().tokenizer(words, add_special_tokens=False)["input_ids"]
    prompted = SoftPromptModel(model, PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=len(ids)))
    with torch.no_grad():
        rows = prompted.prompt_encoder["default"].embedding.weight
        rows.copy_(model.get_input_embeddings().weight[ids])
    prompted.save_pretrained(folder)
    note = {"name": base, "fingerprint": checkpoint.fingerprint}
    (folder / "base.json").write_text(json.dumps(note))
    return folder
