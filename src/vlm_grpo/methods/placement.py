"""Which weights train, the same for SFT and GRPO: LoRA on the language tower, or the weights themselves.

The study adapted `lm_head` in GRPO but not in SFT, which confounds every comparison of the two (reference, 2.2).

With `full_finetuning: language` all weights but the vision tower's train, the output layer's among them; with `all`
those too, as in r1_vlm. They are held in float32 whatever the run computes in: a step of 1e-6 is lost in a weight of
bfloat16, which has eight significant bits. (DeepSpeed holds such copies itself.)
"""

import torch
from peft import LoraConfig
from transformers import PreTrainedModel

from vlm_grpo.adapters.base import Adapter
from vlm_grpo.adapters.precision import pick_dtype
from vlm_grpo.methods.arguments import StudyArguments


def lora_config(arguments: StudyArguments, adapter: Adapter) -> LoraConfig | None:
    """The PEFT configuration for `adapter`'s language tower; None where the weights themselves train."""
    if arguments.full_finetuning is not None:
        return None
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=arguments.lora_r,
        lora_alpha=arguments.lora_alpha,
        lora_dropout=arguments.lora_dropout,
        target_modules=adapter.lora_targets,
    )


def held_in(arguments: StudyArguments, dtype: str) -> torch.dtype:
    """The number format of the loaded weights in a run that computes in `dtype`."""
    return pick_dtype(dtype) if arguments.full_finetuning is None else torch.float32


def freeze(model: PreTrainedModel, adapter: Adapter, *, full: str | None) -> None:
    """Leave out of the training of `full` what it does not train; with LoRA, PEFT does it."""
    if full == "language":
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(not name.startswith(adapter.vision_modules))


def check_placement(model: PreTrainedModel, adapter: Adapter, *, full: str | None = None) -> int:
    """Assert that what trains is what the setting says; return how many parameters do.

    Without `full`: LoRA weights of the language tower. With it: all weights, or all but the vision tower's.
    """
    trainable = {name: p for name, p in model.named_parameters() if p.requires_grad}
    assert trainable, "no trainable parameter: the LoRA targets match no module"
    for name in trainable:
        inside = name.removeprefix("base_model.model.")
        assert ("lora_" in name) is (full is None), f"{name} trains {'but is not' if full is None else 'and is'} LoRA"
        assert "lm_head" not in name or full is not None, f"{name} adapts the output layer"
        assert full == "all" or not inside.startswith(adapter.vision_modules), f"{name} adapts the vision tower"
    if full is not None:
        for name, _ in model.named_parameters():
            spared = full == "language" and name.startswith(adapter.vision_modules)
            assert spared or name in trainable, f"{name} does not train with full_finetuning: {full}"
    return sum(p.numel() for p in trainable.values())
