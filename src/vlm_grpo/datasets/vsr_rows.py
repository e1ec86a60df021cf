"""VSR's columns, see `vlm_grpo.tasks.vsr.columns`."""

from vlm_grpo.tasks.vsr.columns import VsrRecord, to_row

__all__ = ["VsrRecord", "to_row"]
