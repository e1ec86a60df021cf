"""The virtual tokens in front of the model: nothing else trains."""

from pathlib import Path

from peft import PromptTuningConfig
from transformers import PreTrainedModel

from vlm_grpo.adapters.checkpoint import Checkpoint
from vlm_grpo.adapters.soft_prompt import SoftPromptModel
from vlm_grpo.methods.soft_prompt.arguments import SoftPromptArguments

INITS = {"text": "TEXT", "vocabulary": "SAMPLE_VOCAB", "random": "RANDOM"}
"""PEFT's names."""


def put_before(model: PreTrainedModel, base: Checkpoint, arguments: SoftPromptArguments) -> SoftPromptModel:
    """`model`, which is `base`, behind the virtual tokens; they alone train, and are held in float32.

    Random ones come from torch's default generator.
    """
    tokenizer: Path | None = base.path if arguments.start == "text" else None
    config = PromptTuningConfig(
        task_type="CAUSAL_LM",
        num_virtual_tokens=arguments.virtual_tokens,
        prompt_tuning_init=INITS[arguments.start],
        prompt_tuning_init_text=arguments.start_text,
        tokenizer_name_or_path=None if tokenizer is None else str(tokenizer),
    )
    prompted = SoftPromptModel(model, config)
    config.tokenizer_name_or_path = None if tokenizer is None else base.name
    return prompted


def check_placement(model: SoftPromptModel) -> int:
    """Assert that the virtual tokens train and nothing else does; return how many parameters that is."""
    trainable = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert len(trainable) == 1, f"{', '.join(trainable) or 'nothing'} trains, and not the virtual tokens alone"
    name, parameter = next(iter(trainable.items()))
    assert name.startswith("prompt_encoder."), f"{name} trains, and not the virtual tokens"
    return parameter.numel()
