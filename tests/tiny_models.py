"""Checkpoints of both families with random weights, made by the builders of the embedded models in a second or two.

They speak gibberish, which is enough wherever it does not matter what a model says.
"""

from pathlib import Path

from vlm_grpo.embedded.pretrain import RECIPES


def save_tiny_model(folder: Path, family: str, *, seed: int = 0) -> Path:
    """Write a random checkpoint of `family` ("qwen2_5_vl" or "smolvlm") to `folder` in the standard layout."""
    RECIPES[family].built(seed).save(folder)
    return folder
