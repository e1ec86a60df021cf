"""Numbers of a command line with their range: types for `argparse` that refuse in one line, naming option and remedy.

p.add_argument("--seed", type=seed("--seed"), default=0)
"""

import math
from collections.abc import Callable

from vlm_grpo.errors import UserError

LARGEST_SEED = 2**32 - 1
"""The largest that every generator in use takes."""


def whole(option: str, *, least: int = 0, most: int | None = None) -> Callable[[str], int]:
    """Whole numbers from `least` to `most` (None: without end)."""
    wanted = f"a whole number from {least}" + (f" to {most}" if most is not None else "")

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise UserError(f"{option} {text!r} is no number; give {wanted}") from None
        if number < least or (most is not None and number > most):
            raise UserError(f"{option} {text} is out of range; give {wanted}")
        return number

    return read


def seed(option: str) -> Callable[[str], int]:
    """What seeds every generator in use."""
    return whole(option, most=LARGEST_SEED)


def share(option: str) -> Callable[[str], float]:
    """Fractions from 0 to 1."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not 0 <= number <= 1:
            raise UserError(f"{option} {text!r} is no share; give a fraction from 0 to 1")
        return number

    return read
