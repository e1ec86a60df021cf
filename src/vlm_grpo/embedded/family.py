"""What the builders of the embedded families hand to pretraining, and how it becomes a checkpoint folder."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerFast

from vlm_grpo.embedded.batches import Collator

STORAGE = torch.float16
"""Number format of the shipped weights. `config.json` says float32, the format they are computed in on a CPU."""


@dataclass(frozen=True, kw_only=True)
class FamilyBuild:
    """A family's parts before they are a checkpoint: model, tokenizer, image processor, chat template, collator."""

    family: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    image_processor: Any
    processor_class: str
    chat_template: str
    collator: Collator
    processor_settings: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write the standard layout that `AutoProcessor` and `AutoModelForImageTextToText` read."""
        folder.mkdir(parents=True, exist_ok=True)
        config = self.model.config.to_dict() | {"architectures": [type(self.model).__name__], "dtype": "float32"}
        for part in ("text_config", "vision_config"):
            config[part]["dtype"] = "float32"
        _write_json(folder / "config.json", config)
        weights = {name: tensor.detach().to(STORAGE).contiguous() for name, tensor in self.model.state_dict().items()}
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        (folder / "model.safetensors").chmod(0o644)
        eos, pad = self.tokenizer.eos_token_id, self.tokenizer.pad_token_id
        GenerationConfig(eos_token_id=eos, pad_token_id=pad, do_sample=False, max_new_tokens=64).save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        _write_json(
            folder / "preprocessor_config.json",
            {
                **self.image_processor.to_dict(),
                "image_processor_type": type(self.image_processor).__name__.removesuffix("Pil"),
                "processor_class": self.processor_class,
            },
        )
        processor = {"processor_class": self.processor_class, **self.processor_settings}
        _write_json(folder / "processor_config.json", processor)
        (folder / "chat_template.jinja").write_text(self.chat_template, encoding="utf-8")


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True, default=str) + "\n", encoding="utf-8")
