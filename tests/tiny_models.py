"""Checkpoints of both families with random weights, made by the builders of the embedded models in a second or two.

They speak gibberish, which is enough wherever it does not matter what a model says.
"""

from pathlib import Path

from vlm_grpo.embedded import build_qwen, build_smolvlm

BUILDERS = {"qwen2_5_vl": build_qwen.build, "smolvlm": build_smolvlm.build}


def save_tiny_model(folder: Path, family: str, *, seed: int = 0) -> Path:
    """Write a random checkpoint of `family` ("qwen2_5_vl" or "smolvlm") to `folder` in the standard layout."""
    BUILDERS[family](seed).save(folder)
    return folder
