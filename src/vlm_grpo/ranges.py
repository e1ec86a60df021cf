"""The values that settings may take, checked as soon as they are parsed: numbers in a range, names of a list.

`config` adds to each mistake the file that the setting stands in.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from vlm_grpo.errors import UserError


@dataclass(frozen=True)
class Range:
    """Finite numbers from `low` to `high`; without `low` itself where it is `above`, without `high` where `below`."""

    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    below: bool = False

    def __contains__(self, value: float) -> bool:
        low = value > self.low if self.above else value >= self.low
        high = value < self.high if self.below else value <= self.high
        return math.isfinite(value) and low and high

    def __str__(self) -> str:
        words = []
        if self.low > -math.inf:
            words.append(f"{'above' if self.above else 'from'} {self.low}")
        if self.high < math.inf:
            words.append(f"{'below' if self.below else 'up to'} {self.high}")
        return f"a number {' and '.join(words)}" if words else "a finite number"


FINITE = Range()
POSITIVE, AT_LEAST_0, AT_LEAST_1 = Range(0, above=True), Range(0), Range(1)
SHARE, SHARE_ABOVE_0, SHARE_BELOW_1 = Range(0, 1), Range(0, 1, above=True), Range(0, 1, below=True)
SEED = Range(0, 2**32 - 1)
"""What seeds every generator in use."""


NEAR = 0.7
"""How alike a name must be to be what was meant: so that no is not taken for none."""


def wrong(name: str, why: str) -> UserError:
    """The error to raise where the setting `name` has a value that `why` says is wrong."""
    return UserError(f"setting {name!r}: {why}")


def check_numbers(settings: Any, ranges: Mapping[str, Range]) -> None:
    """`UserError` for the first number of the dataclass `settings` outside its range, or not finite.

    Lists are checked item by item; what is None or no number is left alone.
    """
    for name, value in vars(settings).items():
        for number in value if isinstance(value, list) else [value]:
            if isinstance(number, int | float) and not isinstance(number, bool):
                allowed = ranges.get(name, FINITE)
                if number not in allowed:
                    raise wrong(name, f"{number} is out of range; give {allowed}")


def check_name(name: str, value: str, known: Iterable[str]) -> None:
    """`UserError` unless `value`, of the setting `name`, is one of `known`."""
    names = list(known)
    if value not in names:
        near = get_close_matches(value, names, n=1, cutoff=NEAR)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UserError(f"unknown {name} {value!r}; {hint}known: {', '.join(names)}")
