"""Agreement of two and more raters on the same items: Fleiss' kappa, with an interval from resampled items.

Fleiss (1971): the share of agreeing pairs of raters within an item, over what the raters' common use of the classes
gives by chance. With two raters it is Scott's pi, not Cohen's kappa, which lets each rater have a use of its own.
Written out on numpy (statsmodels, which has the value too, takes more than a second to import).
"""

from collections.abc import Hashable, Sequence

import numpy as np

from vlm_grpo.statistics.intervals import Estimate, Interval

RESAMPLES = 2000


def fleiss_kappa(
    counts: Sequence[Sequence[int]],
    *,
    clusters: Sequence[Hashable] | None = None,
    seed: int = 0,
    confidence: float = 0.95,
) -> Estimate | None:
    """Fleiss' kappa of `counts` (items, classes): how many of the raters, as many for each item, put it into a class.

    The interval is the percentile one over resampled items, those of one of `clusters` together. None where all raters
    use one class only, or all items are rated alike, so that no resample has another value. `ValueError` for items
    of other numbers of raters, fewer than two raters, or none.

    >>> round(fleiss_kappa([[3, 0], [3, 0], [1, 2], [0, 3]]).value, 3)
    0.657
    """
    table = np.asarray(counts, dtype=float)
    if table.ndim != 2 or not len(table) or (table < 0).any() or len(set(table.sum(axis=1))) != 1:
        raise ValueError("the items have no one number of raters")
    raters = table[0].sum()
    if raters < 2:
        raise ValueError(f"{raters:g} raters cannot agree")
    agreeing = (table * (table - 1)).sum(axis=1) / (raters * (raters - 1))
    sums = _summed(np.column_stack([np.ones(len(table)), agreeing, table / raters]), clusters)
    value = _kappas(sums.sum(axis=0, keepdims=True))[0]
    draws = np.random.default_rng(seed).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=RESAMPLES)
    drawn = _kappas(draws @ sums)
    drawn = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or not len(drawn) or np.ptp(drawn) == 0:
        return None
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Estimate(float(value), Interval(float(low), float(high)).within(-1.0, 1.0).holding(float(value)))


def _kappas(sums: np.ndarray) -> np.ndarray:
    """Kappa of each row of `sums`: items, their agreement, their shares of each class; NaN where chance is all."""
    items, agreed, shares = sums[:, 0], sums[:, 1] / sums[:, 0], sums[:, 2:] / sums[:, :1]
    chance = (shares**2).sum(axis=1)
    is_certain = np.isclose(chance, 1.0) | (items == 0)
    return np.where(is_certain, np.nan, (agreed - chance) / np.where(is_certain, 1.0, 1 - chance))


def _summed(values: np.ndarray, clusters: Sequence[Hashable] | None) -> np.ndarray:
    if clusters is None:
        return values
    numbers: dict[Hashable, int] = {}
    of = np.array([numbers.setdefault(cluster, len(numbers)) for cluster in clusters])
    sums = np.zeros((len(numbers), values.shape[1]))
    np.add.at(sums, of, values)
    return sums
