"""Item-paired bootstrap of the difference of two means.

Rows are drawn with replacement and both arms keep their values on a drawn row, so what the arms share (easy rows, hard
rows) cancels out. Only the row-wise differences matter, and they take few distinct values: drawing the count of each
from a multinomial is the same bootstrap, done at once for all resamples.
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
    values, counts = np.unique(differences, return_counts=True)
    n = len(differences)
    draws = np.random.default_rng(seed).multinomial(n, counts / n, size=resamples)
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws @ values / n, [tail, 1 - tail])
    return Interval(float(low), float(high))
