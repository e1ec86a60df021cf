"""Confidence interval of a proportion.

Wilson's score interval, as in the study's evaluation: it stays inside [0, 1] and keeps its coverage near 0 and 1, where
the textbook interval does not. Rows are taken as independent; rows that share a picture are not quite, so the interval
is a little narrow on VSR.

Written out on `scipy.special` (statsmodels, which has it too, takes more than a second to import; the tables must not).
"""

from math import sqrt
from typing import NamedTuple

from scipy.special import ndtri


class Interval(NamedTuple):
    """Both ends of a confidence interval, as fractions in [0, 1]."""

    low: float
    high: float


def wilson(k: int, n: int, confidence: float = 0.95) -> Interval:
    """Wilson's interval of `k` successes among `n` trials, as fractions.

    `ValueError` unless 0 <= k <= n, n > 0 and 0 < confidence < 1: without trials there is no proportion to bound.

    >>> low, high = wilson(253, 350)
    >>> f"{low:.3f} {high:.3f}"
    '0.674 0.767'
    """
    if n <= 0 or not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is not a proportion")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence} is not between 0 and 1")
    z = float(ndtri(0.5 + confidence / 2))
    share = k / n
    centre = share + z**2 / (2 * n)
    half = z * sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    scale = 1 + z**2 / n
    low = 0.0 if k == 0 else (centre - half) / scale
    high = 1.0 if k == n else (centre + half) / scale
    return Interval(low, high)
