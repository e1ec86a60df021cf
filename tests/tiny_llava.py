"""A LLaVA 1.5 checkpoint with random weights, in the layout of the real ones."""

import shutil
from pathlib import Path

import torch
from transformers import CLIPImageProcessorPil, LlavaConfig, LlavaForConditionalGeneration

from vlm_grpo.adapters.checkpoint import shipped_folder
from vlm_grpo.adapters.files import read_json

SIDE, PATCH = 56, 14
SPEECH = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
"""Files of the embedded SmolVLM that serve LLaVA as well: its placeholder is called `<image>`, too."""


def save_tiny_llava(folder: Path, *, seed: int = 0) -> Path:
    """Write a checkpoint to `folder`: two layers of LLaMA on one of CLIP, 16 tokens a picture."""
    smolvlm = shipped_folder("smolvlm")
    written = read_json(smolvlm / "config.json")
    text = written["text_config"] | {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "head_dim": 8}
    vision = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2}
    config = LlavaConfig(
        text_config=text,
        vision_config=vision | {"model_type": "clip_vision_model", "image_size": SIDE, "patch_size": PATCH},
        image_token_index=written["image_token_id"],
        tie_word_embeddings=False,
    )
    torch.manual_seed(seed)
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}).save_pretrained(
        folder
    )
    for name in SPEECH:
        shutil.copy(smolvlm / name, folder)
    return folder
