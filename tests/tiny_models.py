"""Checkpoints of the families with random weights, made by the builders of the embedded models in a second or two.

They speak gibberish, which is enough wherever it does not matter what a model says.
"""

import shutil
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel, Qwen3VLConfig, Qwen3VLForConditionalGeneration

from vlm_grpo.embedded.pretrain import RECIPES

QWEN_IDS = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id", "eos_token_id")


def save_tiny_model(folder: Path, family: str, *, seed: int = 0) -> Path:
    """Write a random checkpoint of `family`, one of `RECIPES`, to `folder` in the standard layout."""
    RECIPES[family].built(seed).save(folder)
    return folder


def save_with_hub_names(folder: Path, qwen: Path) -> Path:
    """Copy the checkpoint `qwen` to `folder` under the names of Qwen2.5-VL's published weights."""
    shutil.copytree(qwen, folder)
    weights = {
        name.replace("model.visual.", "visual.").replace("model.language_model.", "model."): tensor
        for name, tensor in load_file(qwen / "model.safetensors").items()
    }
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


def text_settings(vocabulary: int) -> dict[str, Any]:
    """The language model of a small checkpoint whose tokenizer has `vocabulary` tokens."""
    return {
        "vocab_size": vocabulary,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": 512,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]},
        "bos_token_id": None,
    }


def qwen3_vl(written: dict[str, Any]) -> PreTrainedModel:
    """A random Qwen3-VL for the tokenizer of the Qwen checkpoint whose `config.json` is `written`."""
    text, ids = text_settings(written["text_config"]["vocab_size"]), {name: written.get(name) for name in QWEN_IDS}
    vision = {
        "depth": 1,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_heads": 4,
        "out_hidden_size": 64,
        "patch_size": 14,
        "num_position_embeddings": 64,
        "deepstack_visual_indexes": [0],
    }
    return Qwen3VLForConditionalGeneration(
        Qwen3VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=False, **ids)
    )
