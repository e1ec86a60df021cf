"""Whether a run agrees with what is pinned: every pinned key must be there and agree; further keys may come.

The tolerances stand here and nowhere else. Everything that they do not name is exact: texts, verdicts, prompts, counts.
"""

import math
from typing import Any, NamedTuple


class Tolerance(NamedTuple):
    """Two numbers agree where they differ by at most `relative` of the pinned one, or by `absolute`."""

    relative: float
    absolute: float


TOLERANCES = {
    # float32 sums in another order: without the vector instructions of the machine that wrote the pinned files, losses
    # differ by 8e-6 of themselves after 20 steps and gradients' norms by 6e-5. The absolute part is for GRPO's losses
    # of batches without any advantage, which are 0.04 KL and as small as 1e-7.
    "loss": Tolerance(1e-4, 2e-6),
    "grad_norm": Tolerance(1e-3, 2e-6),
    # k3 exponentiates differences of log-probabilities that start at zero: 2e-4 of itself in the same comparison.
    "kl": Tolerance(5e-3, 2e-6),
    # Means and deviations of eight rewards of 0, 0.5 or 1, taken in float32.
    "reward": Tolerance(0.0, 1e-6),
    "reward_std": Tolerance(0.0, 1e-5),
    "rewards/accuracy/mean": Tolerance(0.0, 1e-6),
    "rewards/format/mean": Tolerance(0.0, 1e-6),
    # A formula in double precision.
    "learning_rate": Tolerance(1e-9, 0.0),
}
COMPUTED = Tolerance(1e-9, 1e-12)
"""Of any other number: quotients, intervals and p-values are computed from counts in double precision."""


def differences(pinned: Any, actual: Any, *, where: str = "", name: str = "") -> list[str]:
    """One line for each pinned value that `actual` lacks or has otherwise; `name` is the key that led here."""
    if isinstance(pinned, dict) and isinstance(actual, dict):
        return [
            line
            for key, value in pinned.items()
            for line in (
                differences(value, actual[key], where=f"{where} / {key}", name=key)
                if key in actual
                else [f"{where} / {key}: missing"]
            )
        ]
    if isinstance(pinned, list) and isinstance(actual, list) and len(pinned) == len(actual):
        pairs = enumerate(zip(pinned, actual, strict=True))
        return [
            line
            for number, (value, other) in pairs
            for line in differences(value, other, where=f"{where} [{number}]", name=name)
        ]
    return [] if _agree(pinned, actual, name) else [f"{where}: pinned {pinned!r}, now {actual!r}"]


def _agree(pinned: Any, actual: Any, name: str) -> bool:
    if _is_number(pinned) and _is_number(actual) and float in (type(pinned), type(actual)):
        relative, absolute = TOLERANCES.get(name, COMPUTED)
        return math.isclose(pinned, actual, rel_tol=relative, abs_tol=absolute)
    return type(pinned) is type(actual) and pinned == actual


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
