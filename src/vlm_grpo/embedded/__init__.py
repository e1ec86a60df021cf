"""The tiny checkpoints and the synthetic data set that let the whole study run offline on a CPU."""

from pathlib import Path

from vlm_grpo.errors import UserError

FAMILIES = ("qwen2_5_vl", "smolvlm")
"""The families that have a shipped checkpoint; configs name it `embedded:<family>`."""

_CHECKPOINTS = Path(__file__).parent / "checkpoints"


def checkpoint_path(family: str) -> Path:
    """The folder of the shipped checkpoint of `family` ("qwen2_5_vl" or "smolvlm")."""
    if family not in FAMILIES:
        raise UserError(f"no embedded checkpoint {family!r}; known: {', '.join(FAMILIES)}")
    return _CHECKPOINTS / family
