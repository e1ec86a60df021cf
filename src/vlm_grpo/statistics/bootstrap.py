"""Bootstrap of a mean, and of the item-paired difference of two, with whole clusters drawn together.

Rows are drawn with replacement and both arms keep their values on a drawn row, so what the arms share (easy rows, hard
rows) cancels out: only the row-wise differences matter. Rows of one cluster (the questions about one picture) are no
independent evidence, so a drawn cluster brings all of them; without clusters each row is its own.

A resample needs of a cluster its sum and its size alone. Where these take few distinct values, as those of right and
wrong answers do, the count of each is drawn from a multinomial: the same bootstrap, done at once for all resamples.

Data that no resample can tell apart (one cluster, or clusters of one mean) give None: the interval would have no width,
which is no certainty but nothing to draw from.
"""

from collections.abc import Hashable, Sequence

import numpy as np

from vlm_grpo.statistics.intervals import Interval

LEAST_RESAMPLES = 100
"""The tails of an interval cannot be read off fewer."""

_MULTINOMIAL_KINDS = 100
_DRAWS_AT_ONCE = 1_000_000


def cluster_bootstrap(
    values: Sequence[float],
    clusters: Sequence[Hashable] | None,
    *,
    seed: int,
    resamples: int = 10_000,
    confidence: float = 0.95,
) -> Interval | None:
    """Percentile interval of the mean of `values`, in their unit; None where there is nothing to draw from.

    `clusters` names the cluster of each value; None takes each for its own. The interval reaches as far as the mean.
    `ValueError` for no values, a value that is not finite, other than one cluster a value, or too few resamples.
    """
    given = np.asarray(values, dtype=float)
    if given.ndim != 1 or not len(given) or not np.isfinite(given).all():
        raise ValueError(f"values of shape {given.shape} that are not finite numbers in a row have no mean to bound")
    if resamples < LEAST_RESAMPLES:
        raise ValueError(f"{resamples} resamples are fewer than {LEAST_RESAMPLES}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence} is not between 0 and 1")
    sums, sizes = _totals(given, clusters)
    mean = given.mean()
    if np.allclose(sums, mean * sizes, rtol=1e-12, atol=1e-12 * np.abs(given).max()):
        return None
    drawn = _resampled_means(sums, sizes, np.random.default_rng(seed), resamples)
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(float(low), float(high)).holding(float(mean))


def paired_bootstrap(
    first: Sequence[float],
    second: Sequence[float],
    *,
    clusters: Sequence[Hashable] | None = None,
    seed: int,
    resamples: int = 10_000,
    confidence: float = 0.95,
) -> Interval | None:
    """Percentile interval of mean(second) - mean(first) over the same rows, in the unit of the values.

    As `cluster_bootstrap` of the row-wise differences; `ValueError` also when the arms differ in length.
    """
    if len(first) != len(second) or not len(first):
        raise ValueError(f"arms of {len(first)} and {len(second)} rows cannot be paired")
    differences = np.asarray(second, dtype=float) - np.asarray(first, dtype=float)
    return cluster_bootstrap(differences, clusters, seed=seed, resamples=resamples, confidence=confidence)


def _totals(values: np.ndarray, clusters: Sequence[Hashable] | None) -> tuple[np.ndarray, np.ndarray]:
    """The sum and the size of every cluster, float of shape (clusters,)."""
    if clusters is None:
        return values, np.ones(len(values))
    if len(clusters) != len(values):
        raise ValueError(f"{len(clusters)} clusters are named for {len(values)} values")
    numbers: dict[Hashable, int] = {}
    of = np.array([numbers.setdefault(cluster, len(numbers)) for cluster in clusters])
    return np.bincount(of, weights=values), np.bincount(of).astype(float)


def _resampled_means(sums: np.ndarray, sizes: np.ndarray, rng: np.random.Generator, resamples: int) -> np.ndarray:
    """The mean of the values in each resample of as many clusters, float of shape (resamples,)."""
    n = len(sums)
    kinds, counts = np.unique(np.stack([sums, sizes], axis=1), axis=0, return_counts=True)
    if len(kinds) <= _MULTINOMIAL_KINDS:
        draws = rng.multinomial(n, counts / n, size=resamples)
        return draws @ kinds[:, 0] / (draws @ kinds[:, 1])
    means = np.empty(resamples)
    step = max(1, _DRAWS_AT_ONCE // n)
    for start in range(0, resamples, step):
        chosen = rng.integers(0, n, (min(step, resamples - start), n), dtype=np.int32)
        means[start : start + step] = sums[chosen].sum(axis=1) / sizes[chosen].sum(axis=1)
    return means
