"""What the study needs to know about a model family, in one object.

Adding a family is one file with an `Adapter` and one line in `adapters/registry.py`.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from PIL import Image


class ProcessorLoader(Protocol):
    """Load a checkpoint's processor without remote code, with or without torchvision."""

    def __call__(self, path: Path, *, image_settings: dict[str, Any]) -> Any: ...


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """A model family.

    Attributes:
        family: our name of it.
        model_types: `config.json` `model_type` values it serves.
        load_processor: builds the processor from a checkpoint folder.
        lora_targets: regex of the modules LoRA adapts: the language tower's linear layers, never `lm_head`, never the
            vision tower; the same for SFT and GRPO (the study's two methods trained different parameters).
        vision_modules: prefixes of the parameters that belong to the vision tower and its connector.
        image_keys: names of the processor's outputs that hold pixels.
        generation: overrides of `generate` that the family needs.
        box_frame: frame in which the model writes boxes: "resized_pixels" (after the processor's resize) or
            "thousandths" (0-1000 of each side).
        max_pixels_setting: the image setting that bounds the picture's tokens, for error messages.
    """

    family: str
    model_types: tuple[str, ...]
    load_processor: ProcessorLoader
    lora_targets: str
    vision_modules: tuple[str, ...]
    image_keys: tuple[str, ...]
    box_frame: str
    max_pixels_setting: str
    generation: dict[str, Any] = field(default_factory=dict)

    def encode(self, processor: Any, texts: list[str], images: list[list[Image.Image]]) -> Any:
        """Left-padded model inputs of a batch of rendered prompts: `input_ids` (B, L), masks and pixels."""
        pictures = images if any(images) else None
        return processor(text=texts, images=pictures, padding=True, padding_side="left", return_tensors="pt")
