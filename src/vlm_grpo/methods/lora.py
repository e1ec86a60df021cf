"""LoRA on the language tower, the same modules for SFT and GRPO.

The study adapted `lm_head` in GRPO but not in SFT, which confounds every comparison of the two (reference, 2.2).
"""

from peft import LoraConfig
from transformers import PreTrainedModel

from vlm_grpo.adapters.base import Adapter
from vlm_grpo.methods.arguments import StudyArguments


def lora_config(arguments: StudyArguments, adapter: Adapter) -> LoraConfig:
    """The PEFT configuration for `adapter`'s language tower."""
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=arguments.lora_r,
        lora_alpha=arguments.lora_alpha,
        lora_dropout=arguments.lora_dropout,
        target_modules=adapter.lora_targets,
    )


def check_placement(model: PreTrainedModel, adapter: Adapter) -> int:
    """Assert that only LoRA weights of the language tower train; return how many parameters do."""
    trainable = {name: p for name, p in model.named_parameters() if p.requires_grad}
    assert trainable, "no trainable parameter: the LoRA targets match no module"
    for name in trainable:
        inside = name.removeprefix("base_model.model.")
        assert "lora_" in name, f"{name} trains but is not LoRA"
        assert "lm_head" not in name, f"{name} adapts the output layer"
        assert not inside.startswith(adapter.vision_modules), f"{name} adapts the vision tower"
    return sum(p.numel() for p in trainable.values())
