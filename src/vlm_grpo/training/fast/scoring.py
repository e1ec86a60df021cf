"""The shared pass, see `vlm_grpo.methods.fast.scoring`."""

from vlm_grpo.methods.fast.scoring import SharedPass

__all__ = ["SharedPass"]
