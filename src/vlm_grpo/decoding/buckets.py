"""The sizes that steps are captured for: few, so that a captured step is used again."""

PLACES = 128
"""Lengths are multiples of this many tokens."""
SMALLEST = 8
"""Below this many rows a GPU's step costs the same."""
CAPTURED = 8
"""Captured steps that are kept at once; the one that was used longest ago goes first."""


def row_bucket(rows: int) -> int:
    """The smallest bucket for `rows` rows: 8, 16, 32, 64, then multiples of 64."""
    if rows > 64:
        return -(-rows // 64) * 64
    bucket = SMALLEST
    while bucket < rows:
        bucket *= 2
    return bucket


def length_bucket(tokens: int) -> int:
    """The smallest length for `tokens` tokens of prompt and completion."""
    return -(-tokens // PLACES) * PLACES
