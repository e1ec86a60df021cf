"""A soft prompt: PEFT's prompt tuning, in PEFT's own files, on a model that goes on seeing its pictures.

`SoftPromptModel` is PEFT's wrapper with another forward: the batch holds the virtual tokens (`virtual_tokens`), so
nothing is put in front of it. What it saves is `adapter_config.json` (PROMPT_TUNING) and `prompt_embeddings`, which
PEFT reads; PEFT's own forward of them gives Qwen's pictures the positions of text.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, PeftModelForCausalLM, PromptTuningConfig, set_peft_model_state_dict
from safetensors.torch import load_file
from transformers import PreTrainedModel
from typing_extensions import override

from vlm_grpo.adapters import intact, lora
from vlm_grpo.adapters.checkpoint import Checkpoint, weights_fingerprint
from vlm_grpo.adapters.files import read_json, reading
from vlm_grpo.adapters.lora import LoraAdapter
from vlm_grpo.adapters.lora_fit import CONFIG, WEIGHTS
from vlm_grpo.adapters.renamed import hush_renamed
from vlm_grpo.adapters.substitution import Substitution
from vlm_grpo.errors import UserError

PROMPTS = "prompt_embeddings"
"""The one tensor (N, width) of a saved soft prompt."""


class SoftPromptModel(PeftModelForCausalLM):
    """`model` behind virtual tokens that `config` describes; it must be called on batches that hold them."""

    def __init__(self, model: PreTrainedModel, config: PromptTuningConfig, **peft: Any) -> None:
        with warnings.catch_warnings():
            hush_renamed()
            super().__init__(model, config, **peft)
        self.substitution = Substitution(model.get_input_embeddings(), self._rows)

    def _rows(self) -> torch.Tensor:
        rows: torch.Tensor = self.prompt_encoder[self.active_adapter].embedding.weight
        return rows

    @override
    def forward(self, *inputs: Any, **named: Any) -> Any:
        return self.get_base_model()(*inputs, **named)


@dataclass(frozen=True)
class SoftPrompt:
    """A vetted soft prompt: `path` on disk and the checkpoint `base` that it was trained on.

    The family of `base` puts the virtual tokens into every batch that it encodes, so whoever asks the base through it
    asks behind the soft prompt.
    """

    path: Path
    base: Checkpoint

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the configuration and samples of the weights."""
        return weights_fingerprint(self.path)

    def attach(self, model: PreTrainedModel) -> SoftPromptModel:
        """`model`, which must be the base, behind the soft prompt; not trainable."""
        weights = load_file(self.path / WEIGHTS)
        with reading(f"adapter {self.path}: {CONFIG} does not fit the base"):
            config = PeftConfig.from_pretrained(str(self.path))
            config.inference_mode = True
            prompted = SoftPromptModel(model, config)
        wanted = tuple(prompted._rows().shape)
        there = tuple(weights[PROMPTS].shape) if PROMPTS in weights else None
        if there != wanted:
            raise UserError(
                f"adapter {self.path}: {WEIGHTS} holds {PROMPTS} of the shape {there} where {CONFIG} and the base ask "
                f"for {wanted}; copy it again, or train it again"
            )
        set_peft_model_state_dict(prompted, weights)
        return prompted.requires_grad_(False).eval()


def is_soft_prompt(folder: Path) -> bool:
    """Whether the adapter in `folder` is a soft prompt."""
    return read_json(folder / CONFIG).get("peft_type") == "PROMPT_TUNING"


def behind(checkpoint: Checkpoint, virtual_tokens: int) -> Checkpoint:
    """`checkpoint`, whose family puts so many virtual tokens before every prompt that it encodes."""
    return replace(checkpoint, adapter=replace(checkpoint.adapter, virtual_tokens=virtual_tokens))


def open_soft_prompt(folder: Path, *, base: str | None = None) -> SoftPrompt:
    """As `lora.open_lora`, of a soft prompt."""
    where = f"adapter {folder}"
    checkpoint = lora.vet(folder, base=base)
    virtual_tokens = intact.read_whole_json(folder / CONFIG, where=where).get("num_virtual_tokens")
    if not isinstance(virtual_tokens, int) or virtual_tokens < 0:
        raise UserError(f"{where}: {CONFIG} says num_virtual_tokens {virtual_tokens!r}, which is no number of tokens")
    return SoftPrompt(path=folder, base=behind(checkpoint, virtual_tokens))


def open_adapter(folder: Path, *, base: str | None = None) -> LoraAdapter | SoftPrompt:
    """The LoRA adapter or the soft prompt in `folder`, vetted for the checkpoint `base` (None: the noted one)."""
    opened: Callable[..., LoraAdapter | SoftPrompt] = open_soft_prompt if is_soft_prompt(folder) else lora.open_lora
    return opened(folder, base=base)
