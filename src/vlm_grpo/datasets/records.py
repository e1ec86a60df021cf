"""The schema of rows, see `vlm_grpo.rows.records`."""

from vlm_grpo.rows.records import Row, parse_row

__all__ = ["Row", "parse_row"]
