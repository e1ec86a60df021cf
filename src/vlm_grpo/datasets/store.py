"""Data sets on disk, see `vlm_grpo.rows.dataset`."""

from vlm_grpo.rows.dataset import load, save

__all__ = ["load", "save"]
