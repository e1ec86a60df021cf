"""A share of rows as JSON: the count, the number of rows, the fraction and both ends of Wilson's interval.

Right answers are told as `correct` and `accuracy`, everything else as `k` and `rate`.
"""

from typing import Any

from vlm_grpo.statistics.intervals import wilson


def accuracy_share(correct: int, n: int, confidence: float = 0.95) -> dict[str, Any]:
    """`{n, correct, accuracy, ci_low, ci_high}`, fractions in [0, 1]; `ValueError` without rows.

    >>> accuracy_share(3, 4)["accuracy"]
    0.75
    """
    low, high = wilson(correct, n, confidence)
    return {"n": n, "correct": correct, "accuracy": correct / n, "ci_low": low, "ci_high": high}


def rate_share(k: int, n: int, confidence: float = 0.95) -> dict[str, Any] | None:
    """`{k, n, rate, ci_low, ci_high}`, fractions in [0, 1]; None without rows, which have no rate."""
    if not n:
        return None
    low, high = wilson(k, n, confidence)
    return {"k": k, "n": n, "rate": k / n, "ci_low": low, "ci_high": high}
