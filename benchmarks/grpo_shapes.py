"""The models that `grpo_step.py` times: real architectures and shapes, random weights, prompts of a given length.

Speed and memory depend on shapes, not on what the weights say. The tokenizer and the processors are the embedded
models'; a vocabulary larger than the tokenizer's costs what it costs, its texts are gibberish.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from PIL import Image
from transformers import PreTrainedModel

from vlm_grpo.adapters.base import Adapter
from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.embedded.pretrain import RECIPES

PICTURE = (640, 480)


@dataclass(frozen=True)
class Size:
    """How to build a model: its embedded relative, the changes of its shape, and what its step is like."""

    relative: str
    dtype: torch.dtype
    prompt: int
    completion: int
    picture: tuple[int, int]
    text: dict[str, Any]
    vision: dict[str, Any]
    top: dict[str, Any]
    image_options: dict[str, Any]


def _qwen_text(width: int, inner: int, layers: int, heads: int, vocabulary: int, rope: float) -> dict[str, Any]:
    pairs = width // heads // 2
    section = [pairs // 4, pairs * 3 // 8, pairs * 3 // 8]
    return {
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": 2,
        "vocab_size": vocabulary,
        "max_position_embeddings": 32768,
        "initializer_range": 0.02,
        "rope_parameters": {"rope_type": "default", "rope_theta": rope, "mrope_section": section},
    }


def _qwen_vision(width: int, inner: int, depth: int, heads: int, out: int, full: list[int]) -> dict[str, Any]:
    return {
        "hidden_size": width,
        "intermediate_size": inner,
        "depth": depth,
        "num_heads": heads,
        "out_hidden_size": out,
        "fullatt_block_indexes": full,
        "window_size": 112,
        "initializer_range": 0.02,
    }


DERIVED = ("layer_types", "head_dim")
"""What a configuration works out from the shape."""
QWEN_PIXELS = {"max_pixels": PICTURE[0] * PICTURE[1] * 2}
SIZES = {
    "tiny": Size("qwen2_5_vl", torch.float32, 100, 40, (112, 112), {}, {}, {}, {}),
    "tiny_smolvlm": Size("smolvlm", torch.float32, 100, 40, (112, 112), {}, {}, {}, {}),
    "tiny_internvl": Size("internvl", torch.float32, 100, 40, (224, 112), {}, {}, {}, {}),
    "proxy": Size(
        "qwen2_5_vl",
        torch.float32,
        476,
        128,
        PICTURE,
        _qwen_text(512, 1408, 9, 8, 512, 1e6),
        _qwen_vision(320, 856, 8, 4, 512, [3, 7]),
        {},
        QWEN_PIXELS,
    ),
    "qwen3b": Size(
        "qwen2_5_vl",
        torch.bfloat16,
        500,
        128,
        PICTURE,
        _qwen_text(2048, 11008, 36, 16, 151936, 1e6),
        _qwen_vision(1280, 3420, 32, 16, 2048, [7, 15, 23, 31]),
        {},
        QWEN_PIXELS,
    ),
    "smolvlm2b": Size(
        "smolvlm",
        torch.bfloat16,
        500,
        128,
        PICTURE,
        {
            "hidden_size": 2048,
            "intermediate_size": 8192,
            "num_hidden_layers": 24,
            "num_attention_heads": 32,
            "num_key_value_heads": 32,
            "vocab_size": 49155,
            "max_position_embeddings": 16384,
            "initializer_range": 0.02,
            "rope_parameters": {"rope_type": "default", "rope_theta": 273768.0},
        },
        {
            "hidden_size": 1152,
            "intermediate_size": 4304,
            "num_hidden_layers": 27,
            "num_attention_heads": 16,
            "image_size": 384,
            "patch_size": 14,
            "initializer_range": 0.02,
        },
        {"scale_factor": 3},
        {"image_splitting": True, "longest_edge": 768},
    ),
}
"""`smolvlm2b` sees the picture in two by two tiles and whole: 405 image tokens of its prompt of 500; `tiny_internvl`
sees its own in two tiles and whole, 48 tokens of 100."""


@dataclass(frozen=True)
class Shaped:
    """A model of a size, its processor and its family."""

    model: PreTrainedModel
    processor: Any
    adapter: Adapter


def build(size: Size, *, device: str, seed: int = 0) -> Shaped:
    """The model with random weights on `device`, its vision tower frozen."""
    family = RECIPES[size.relative].built(seed)
    with tempfile.TemporaryDirectory() as folder:
        family.save(Path(folder))
        checkpoint = open_checkpoint(folder)
        processor = checkpoint.load_processor(**size.image_options)
    config = family.model.config.to_dict()
    for part, changes in (("text_config", size.text), ("vision_config", size.vision)):
        kept = {key: value for key, value in config[part].items() if key not in DERIVED}
        config[part] = kept | changes
    if size.relative == "smolvlm" and size.top:
        processor.image_seq_len = 81
        processor.image_processor.max_image_size = {"longest_edge": 384}
    before = torch.get_default_dtype()
    torch.set_default_dtype(size.dtype)
    torch.manual_seed(seed)
    with torch.device(device):
        model = type(family.model)(type(family.model.config)(**config | size.top))
    torch.set_default_dtype(before)
    for name, parameter in model.named_parameters():
        if name.startswith(checkpoint.adapter.vision_modules):
            parameter.requires_grad_(False)
    return Shaped(model, processor, checkpoint.adapter)


def rows(shaped: Shaped, size: Size, *, prompts: int, prompt_tokens: int) -> Dataset:
    """`prompts` rows as TRL reads them, each with a picture of its own and a prompt of about `prompt_tokens` tokens.

    A batch's rows share a picture that several of them show, as those of `methods.examples` do.
    """
    width, height = picture_of(size, prompt_tokens)
    pictures = [
        Image.fromarray(np.random.default_rng(index).integers(0, 256, (height, width, 3), dtype=np.uint8))
        for index in range(prompts)
    ]
    words: list[str] = []
    while len(_ids(shaped, pictures[0], " ".join(["Row 0.", *words]))) < prompt_tokens:
        words.append("The red circle is left of the blue square.")
    texts = [" ".join([f"Row {index}.", *words]) for index in range(prompts)]

    def shown(batch: dict[str, list[int]]) -> dict[str, list[Any]]:
        return {
            "prompt": [[{"role": "user", "content": texts[index]}] for index in batch["index"]],
            "images": [[pictures[index]] for index in batch["index"]],
        }

    return Dataset.from_dict({"index": list(range(prompts))}).with_transform(shown)


def picture_of(size: Size, prompt_tokens: int) -> tuple[int, int]:
    """The size's picture, shrunk where the prompt is to be shorter than the size's own."""
    scale = min(1.0, prompt_tokens / size.prompt) ** 0.5
    return round(size.picture[0] * scale), round(size.picture[1] * scale)


def patches(shaped: Shaped, size: Size, *, prompt_tokens: int) -> int:
    """Patches that the vision tower sees of one picture, all tiles together."""
    turn = {"role": "user", "content": [{"type": "image"}]}
    rendered = shaped.processor.apply_chat_template([turn], tokenize=False)
    picture = Image.new("RGB", picture_of(size, prompt_tokens))
    pixels = shaped.processor(text=[rendered], images=[[picture]], return_tensors="pt")["pixel_values"]
    if pixels.ndim == 2:
        return len(pixels)
    patch = shaped.model.config.vision_config.patch_size
    area = patch[0] * patch[1] if isinstance(patch, Sequence) else patch**2
    tiles = pixels.flatten(0, -4)
    return len(tiles) * tiles.shape[-2] * tiles.shape[-1] // area


def _ids(shaped: Shaped, picture: Image.Image, text: str) -> list[int]:
    turn = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": text}]}
    rendered = shaped.processor.apply_chat_template([turn], add_generation_prompt=True, tokenize=False)
    return shaped.processor(text=[rendered], images=[[picture]])["input_ids"][0]
