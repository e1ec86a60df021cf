"""Agreement of two raters, and the rate that a fallible rater's counts stand for.

`kappa` is Cohen's, with its large-sample interval (Fleiss, Cohen and Everitt 1969). Two corrections turn a judge's rate
of positives into an estimate of the true rate, from a random sample that was also labelled by a better rater: Rogan and
Gladen's, with Lang and Reiczigel's interval (2014), and prediction-powered inference with its weight tuned on the
sample (Angelopoulos et al. 2023: PPI++). Both assume that the labels are right and the sample is random.

Where the data say nothing of the value there is none (None), rather than a number that looks like one: an estimate is
finite, lies in its domain and in its interval, and the interval has a width.
"""

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np

from vlm_grpo.statistics.intervals import Estimate, Interval, normal_quantile, wilson


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
    """Cohen's kappa of a square table (rows: first rater, columns: second), in [-1, 1].

    None when a rater uses one class only: kappa is then 0 whatever the other says. Where the raters agree on all items
    or on none the large-sample variance is 0; the interval is then Wilson's for the share of agreement, with the
    agreement by chance as it is in the table. `ValueError` for a table that is not square or has a negative count.

    >>> round(kappa([[24, 2], [14, 10]]).value, 3)
    0.346
    """
    counts = np.asarray(table, dtype=float)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(f"a table of shape {counts.shape} is not square")
    if not np.isfinite(counts).all() or (counts < 0).any():
        raise ValueError(f"a table of counts has no negative or infinite ones: {table}")
    rows, columns = counts.sum(axis=1), counts.sum(axis=0)
    if min(np.count_nonzero(rows), np.count_nonzero(columns)) < 2:
        return None
    n = counts.sum()
    rows, columns = rows / n, columns / n
    agreed, chance = float(np.trace(counts) / n), float(rows @ columns)
    value = (agreed - chance) / (1 - chance)
    if agreed in (0.0, 1.0):
        ends = [(end - chance) / (1 - chance) for end in wilson(round(agreed * n), round(n), confidence)]
        interval = Interval(*ends)
    else:
        influence = np.eye(len(counts)) - (1 - value) * (columns[:, None] + rows[None, :])
        spread = influence - (influence * counts).sum() / n
        half = normal_quantile(confidence) * sqrt((spread**2 * counts).sum()) / (float(n) * (1 - chance))
        interval = Interval(value - half, value + half)
    return Estimate(value, interval.within(-1.0, 1.0).holding(value))


def rogan_gladen(positives: int, n: int, sample: Labelled, confidence: float = 0.95) -> Estimate | None:
    """The true share of positives behind `positives` of `n`, from sensitivity and specificity in `sample`.

    The value is Rogan and Gladen's, cut to [0, 1], and the interval reaches as far. None without items; where the
    sample lacks a class; where the judge is no better than chance on it, or so little better that the interval leaves
    out no share at all; and where such a judge would not give this rate, so that no share is likely.
    """
    _check_counts(positives, n, sample)
    actual, absent = sample.tp + sample.fn, sample.tn + sample.fp
    if not n or not actual or not absent or sample.tp * sample.tn <= sample.fp * sample.fn:
        return None
    sensitivity, specificity = sample.tp / actual, sample.tn / absent
    value = (positives / n + specificity - 1) / (sensitivity + specificity - 1)
    z = normal_quantile(confidence)
    p = (positives + z**2 / 2) / (n + z**2)
    se, sp = (sample.tp + 1) / (actual + 2), (sample.tn + 1) / (absent + 2)
    youden = se + sp - 1
    if youden <= 0:
        return None
    centre = (p + sp - 1) / youden
    var_se, var_sp = se * (1 - se) / (actual + 2), sp * (1 - sp) / (absent + 2)
    shift = 2 * z**2 * (centre * var_se - (1 - centre) * var_sp)
    spread = z * sqrt(p * (1 - p) / (n + z**2) + centre**2 * var_se + (1 - centre) ** 2 * var_sp) / youden
    interval = Interval(centre + shift - spread, centre + shift + spread)
    if interval.low <= 0 and interval.high >= 1:
        return None
    return _share(value, interval)


def prediction_powered(positives: int, n: int, sample: Labelled, confidence: float = 0.95) -> Estimate | None:
    """The true share of positives, from `positives` of `n` unlabelled items and the labelled `sample`.

    Labels that are all equal say nothing of how the judge's verdicts vary with them: the estimate is then the share of
    the labels alone, with Wilson's interval. Otherwise the sample's part of the variance has one item more in either
    cell of disagreement (Bonett and Price, 2012), so that a judge without error on a few items is not taken for one
    without error. None for a sample of fewer than two, and where judge and sample contradict each other so far that no
    share is likely.
    """
    _check_counts(positives, n, sample)
    if sample.n < 2:
        return None
    labelled, judged = sample.tp + sample.fn, sample.tp + sample.fp
    if labelled in (0, sample.n):
        return Estimate(labelled / sample.n, wilson(labelled, sample.n, confidence))
    share = positives / n if n else 0.0
    weight = 0.0
    if n and 0 < judged < sample.n:
        slope = (sample.tp * sample.tn - sample.fp * sample.fn) / (judged * (sample.n - judged))
        weight = min(max(slope / (1 + sample.n / n), 0.0), 1.0)
    value = weight * share + (labelled - weight * judged) / sample.n
    variance = _variance_of_rest(sample, weight) + (weight**2 * share * (1 - share) / n if n else 0.0)
    half = normal_quantile(confidence) * sqrt(variance)
    return _share(value, Interval(value - half, value + half))


def _variance_of_rest(sample: Labelled, weight: float) -> float:
    """Variance of the sample's mean of label less `weight` times verdict, one item added where the two differ."""
    counts = (sample.tp, sample.fp + 1, sample.fn + 1, sample.tn)
    rests = (1 - weight, -weight, 1.0, 0.0)
    n = sum(counts)
    mean = sum(count * rest for count, rest in zip(counts, rests, strict=True)) / n
    return sum(count * (rest - mean) ** 2 for count, rest in zip(counts, rests, strict=True)) / n**2


def _check_counts(positives: int, n: int, sample: Labelled) -> None:
    if not 0 <= positives <= n or min(sample) < 0:
        raise ValueError(f"{positives} of {n} and {sample} are no counts of a judge and its sample")


def _share(value: float, interval: Interval) -> Estimate | None:
    """The estimate cut to [0, 1]; None where nothing of its interval is left there."""
    if interval.high <= 0 or interval.low >= 1:
        return None
    value = min(1.0, max(0.0, value))
    return Estimate(value, interval.within(0.0, 1.0).holding(value))
