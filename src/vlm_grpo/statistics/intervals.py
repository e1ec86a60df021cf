"""Confidence intervals of a proportion, and of the difference of two.

Wilson's score interval, as in the study's evaluation: it stays inside [0, 1] and keeps its coverage near 0 and 1, where
the textbook interval does not. Rows are taken as independent; rows that share a picture are not quite, so the interval
is a little narrow on VSR.

Every interval here is finite, holds its value, and has a width. Written out on `scipy.special` (statsmodels, which has
it too, takes more than a second to import; the tables must not).
"""

from math import sqrt
from typing import NamedTuple

from scipy.special import ndtri


class Interval(NamedTuple):
    """Both ends of a confidence interval, as fractions: a proportion's in [0, 1], a difference's around 0."""

    low: float
    high: float

    def within(self, low: float, high: float) -> "Interval":
        """The part of the interval between `low` and `high`, the ends of what the value can be."""
        return Interval(min(max(self.low, low), high), min(max(self.high, low), high))

    def holding(self, value: float) -> "Interval":
        """The interval, reaching as far as `value`."""
        return Interval(min(self.low, value), max(self.high, value))


class Estimate(NamedTuple):
    """A value with its interval."""

    value: float
    interval: Interval


def normal_quantile(confidence: float) -> float:
    """How many standard errors an interval reaches to either side: 1.96 at 95 %.

    `ValueError` unless 0 < confidence < 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence} is not between 0 and 1")
    return -float(ndtri((1 - confidence) / 2))


def wilson(k: int, n: int, confidence: float = 0.95) -> Interval:
    """Wilson's interval of `k` successes among `n` trials, as fractions.

    `ValueError` unless 0 <= k <= n, n > 0 and 0 < confidence < 1: without trials there is no proportion to bound.

    >>> low, high = wilson(253, 350)
    >>> f"{low:.3f} {high:.3f}"
    '0.674 0.767'
    """
    if n <= 0 or not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is not a proportion")
    z = normal_quantile(confidence)
    share = k / n
    centre = share + z**2 / (2 * n)
    half = z * sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    scale = 1 + z**2 / n
    low = 0.0 if k == 0 else (centre - half) / scale
    high = 1.0 if k == n else (centre + half) / scale
    return Interval(low, high).within(0.0, 1.0).holding(share)


def newcombe(first: tuple[int, int], second: tuple[int, int], confidence: float = 0.95) -> Interval:
    """Newcombe's hybrid score interval (1998, method 10) of the second proportion less the first, as fractions.

    Each is `(successes, trials)`, of different rows. Made of both Wilson intervals, it stays inside [-1, 1].
    `ValueError` where either is no proportion.

    >>> low, high = newcombe((48, 80), (56, 70))
    >>> f"{low:.4f} {high:.4f}"
    '0.0524 0.3339'
    """
    one, other = (_proportion(k, n, confidence) for k, n in (first, second))
    return difference(one, other).within(-1.0, 1.0)


def newcombe_paired(both: int, first: int, second: int, neither: int, confidence: float = 0.95) -> Interval:
    """Newcombe's interval for paired proportions (1998, method 10): the second less the first, as fractions.

    The four cells count rows: right by both, by the first or the second alone, by neither. It has a width where no row
    tells the two apart, which a bootstrap has not. `ValueError` without rows, or for a negative count.
    """
    if min(both, first, second, neither) < 0:
        raise ValueError(f"counts {both}, {first}, {second} and {neither} must not be negative")
    n = both + first + second + neither
    one, other = (_proportion(k, n, confidence) for k in (both + first, both + second))
    excess = float(both * neither - first * second)
    if excess > 0:
        excess = max(excess - n / 2, 0.0)
    margins = (both + first) * (second + neither) * (both + second) * (first + neither)
    interval = difference(one, other, correlation=excess / sqrt(margins) if margins else 0.0)
    return interval.within(-1.0, 1.0).holding((second - first) / n)


def _proportion(k: int, n: int, confidence: float) -> Estimate:
    interval = wilson(k, n, confidence)
    return Estimate(k / n, interval)


def difference(first: Estimate, second: Estimate, *, correlation: float = 0.0) -> Interval:
    """The interval of the second estimate less the first, from the distances of their own intervals' ends.

    Known as MOVER (Zou and Donner, 2008); `correlation` is 0 for estimates from different rows. `ValueError` where a
    value lies outside its own interval, or the correlation outside [-1, 1].
    """
    if abs(correlation) > 1 + 1e-9 or any(not e.interval.low <= e.value <= e.interval.high for e in (first, second)):
        raise ValueError(f"{first} and {second} with correlation {correlation} have no difference to bound")
    (low_1, high_1), (low_2, high_2) = first.interval, second.interval

    def reach(one: float, other: float) -> float:
        return sqrt(max(one**2 - 2 * correlation * one * other + other**2, 0))

    value = second.value - first.value
    return Interval(
        value - reach(second.value - low_2, high_1 - first.value),
        value + reach(high_2 - second.value, first.value - low_1),
    )
