"""Agreement of two raters, and the rate that a fallible rater's counts stand for.

`kappa` is Cohen's, with its large-sample interval. Two corrections turn a judge's rate of positives into an estimate of
the true rate, from a random sample that was also labelled by a better rater: Rogan and Gladen's, with Lang and
Reiczigel's interval (2014), and prediction-powered inference with its weight tuned on the sample (Angelopoulos et al.
2023: PPI++). Both assume that the labels are right and the sample is random.
"""

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from vlm_grpo.statistics.intervals import Interval


class Estimate(NamedTuple):
    """A value with its confidence interval."""

    value: float
    interval: Interval


class Labelled(NamedTuple):
    """Counts of a sample rated by both: `tp` both positive, `fp` only the judge, `fn` only the label, `tn` neither."""

    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def n(self) -> int:
        """Size of the sample."""
        return sum(self)


def kappa(table: Sequence[Sequence[int]], confidence: float = 0.95) -> Estimate | None:
    """Cohen's kappa of a square table (rows: first rater, columns: second); None when chance agreement is certain.

    >>> round(kappa([[24, 2], [14, 10]]).value, 3)
    0.346
    """
    from statsmodels.stats.inter_rater import cohens_kappa  # takes more than a second to import

    counts = np.asarray(table, dtype=float)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(f"a table of shape {counts.shape} is not square")
    shares = counts / counts.sum()
    if np.isclose(shares.sum(axis=0) @ shares.sum(axis=1), 1):
        return None
    with np.errstate(invalid="ignore"):  # the test against 0, which is not used, divides by a variance that may be 0
        found = cohens_kappa(counts)
    half = float(ndtri(0.5 + confidence / 2)) * found.std_kappa
    return Estimate(float(found.kappa), Interval(found.kappa - half, min(1.0, found.kappa + half)))


def rogan_gladen(positives: int, n: int, sample: Labelled, confidence: float = 0.95) -> Estimate | None:
    """The true share of positives behind `positives` of `n`, from sensitivity and specificity in `sample`.

    The value is Rogan and Gladen's, cut to [0, 1]. None when the sample lacks a class, or the judge is there no better
    than chance, so that its rate says nothing.
    """
    actual, absent = sample.tp + sample.fn, sample.tn + sample.fp
    if not actual or not absent:
        return None
    sensitivity, specificity = sample.tp / actual, sample.tn / absent
    if sensitivity + specificity <= 1:
        return None
    value = (positives / n + specificity - 1) / (sensitivity + specificity - 1)
    z = float(ndtri(0.5 + confidence / 2))
    p = (positives + z**2 / 2) / (n + z**2)
    se, sp = (sample.tp + 1) / (actual + 2), (sample.tn + 1) / (absent + 2)
    youden = se + sp - 1
    centre = (p + sp - 1) / youden
    var_se, var_sp = se * (1 - se) / (actual + 2), sp * (1 - sp) / (absent + 2)
    shift = 2 * z**2 * (centre * var_se - (1 - centre) * var_sp)
    spread = z * sqrt(p * (1 - p) / (n + z**2) + centre**2 * var_se + (1 - centre) ** 2 * var_sp) / youden
    return Estimate(_cut(value), Interval(_cut(centre + shift - spread), _cut(centre + shift + spread)))


def prediction_powered(positives: int, n: int, sample: Labelled, confidence: float = 0.95) -> Estimate | None:
    """The true share of positives, from `positives` of `n` unlabelled items and the labelled `sample`.

    None for a sample of fewer than two.
    """
    if sample.n < 2:
        return None
    judged = np.repeat([1.0, 1.0, 0.0, 0.0], sample)
    labels = np.repeat([1.0, 0.0, 1.0, 0.0], sample)
    share = positives / n if n else 0.0
    weight = 0.0
    if n and judged.var() > 0:
        covariance = float(np.cov(labels, judged)[0, 1])
        weight = float(np.clip(covariance / ((1 + sample.n / n) * judged.var(ddof=1)), 0, 1))
    rest = labels - weight * judged
    value = weight * share + float(rest.mean())
    variance = float(rest.var(ddof=1)) / sample.n + (weight**2 * share * (1 - share) / n if n else 0.0)
    half = float(ndtri(0.5 + confidence / 2)) * sqrt(variance)
    return Estimate(_cut(value), Interval(_cut(value - half), _cut(value + half)))


def _cut(value: float) -> float:
    return min(1.0, max(0.0, value))
