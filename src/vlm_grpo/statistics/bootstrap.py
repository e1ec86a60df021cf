"""Bootstrap of the difference of two means, over the same rows or over different ones.

Over the same rows (item-paired), rows are drawn with replacement and both arms keep their values on a drawn row, so
what the arms share (easy rows, hard rows) cancels out. Only the row-wise differences matter, and they take few distinct
values: drawing the count of each from a multinomial is the same bootstrap, done at once for all resamples.
"""

from collections.abc import Sequence

import numpy as np

from vlm_grpo.statistics.intervals import Interval


def paired_bootstrap(
    first: Sequence[float],
    second: Sequence[float],
    *,
    seed: int,
    resamples: int = 10_000,
    confidence: float = 0.95,
) -> Interval:
    """Percentile interval of mean(second) - mean(first) over the same rows, in the unit of the values.

    `ValueError` when the arms differ in length or are empty.
    """
    if len(first) != len(second) or not len(first):
        raise ValueError(f"arms of {len(first)} and {len(second)} rows cannot be paired")
    differences = np.asarray(second, dtype=float) - np.asarray(first, dtype=float)
    means = _means(differences, np.random.default_rng(seed), resamples)
    return _percentiles(means, confidence)


def two_sample_bootstrap(
    first: Sequence[float],
    second: Sequence[float],
    *,
    seed: int,
    resamples: int = 10_000,
    confidence: float = 0.95,
) -> Interval:
    """Percentile interval of mean(second) - mean(first) over different rows, each side resampled by itself.

    Values that are differences of two arms on a row keep those arms paired. `ValueError` when a side is empty.
    """
    if not len(first) or not len(second):
        raise ValueError(f"sides of {len(first)} and {len(second)} rows have no difference")
    rng = np.random.default_rng(seed)
    one, other = (_means(np.asarray(side, dtype=float), rng, resamples) for side in (first, second))
    return _percentiles(other - one, confidence)


def _means(values: np.ndarray, rng: np.random.Generator, resamples: int) -> np.ndarray:
    """Means of `resamples` samples drawn from `values` with replacement."""
    distinct, counts = np.unique(values, return_counts=True)
    return rng.multinomial(len(values), counts / len(values), size=resamples) @ distinct / len(values)


def _percentiles(means: np.ndarray, confidence: float) -> Interval:
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(low), float(high))
