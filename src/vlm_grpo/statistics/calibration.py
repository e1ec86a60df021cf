"""Calibration: whether of the answers given with confidence p a share p is right.

Confidences are sorted into bins of equal width over [0, 1], each closed above (as in Guo et al. 2017, arXiv 1706.04599,
and in scikit-learn); the expected calibration error (ECE) is the mean distance of accuracy and confidence, each bin
with the weight of its rows. Of few rows it is above 0 for a calibrated model too, so what such a model would have on
the same confidences stands beside it (consistency resampling, Bröcker and Smith 2007).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Bin:
    """`n` answers with confidences above `low` (from it, in the first) up to `high`, of mean `confidence`; `right`
    of them are right."""

    low: float
    high: float
    n: int
    right: int
    confidence: float

    @property
    def accuracy(self) -> float:
        """The share of right ones."""
        return self.right / self.n


@dataclass(frozen=True, slots=True)
class Consistency:
    """The ECE of a calibrated model with the same confidences: its `mean`, its 95 % quantile `high`, and `p`, the share
    of resamples that reach the one observed (which counts as one of them)."""

    mean: float
    high: float
    p: float


def reliability(confidences: Sequence[float], right: Sequence[bool], *, bins: int) -> list[Bin]:
    """The bins that hold something, in rising order.

    `ValueError` without values, for other than one outcome a confidence, for one outside [0, 1], or for no bins.
    """
    p, hits = _checked(confidences, right, bins)
    edges = np.linspace(0, 1, bins + 1)
    places = np.searchsorted(edges[1:-1], p)
    return [
        Bin(
            low=float(edges[place]),
            high=float(edges[place + 1]),
            n=int((places == place).sum()),
            right=int(hits[places == place].sum()),
            confidence=float(p[places == place].mean()),
        )
        for place in np.unique(places)
    ]


def calibration_error(bins: Sequence[Bin]) -> float:
    """ECE of what `reliability` returned, in [0, 1]."""
    n = sum(one.n for one in bins)
    return sum(one.n / n * abs(one.accuracy - one.confidence) for one in bins)


def consistency(
    confidences: Sequence[float], right: Sequence[bool], *, bins: int, seed: int, resamples: int = 2000
) -> Consistency:
    """The ECE where each answer is right with the probability of its confidence, drawn `resamples` times."""
    p, hits = _checked(confidences, right, bins)
    places = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], p)
    of_bin = np.eye(bins)[places]
    rng = np.random.default_rng(seed)

    def error(outcomes: npt.NDArray[Any]) -> float:
        return float(np.abs((outcomes - p) @ of_bin).sum()) / len(p)

    errors = np.array([error(rng.random(len(p)) < p) for _ in range(resamples)])
    reached = int((errors >= error(hits) - 1e-12).sum())
    return Consistency(float(errors.mean()), float(np.quantile(errors, 0.95)), (reached + 1) / (resamples + 1))


def brier(confidences: Sequence[float], right: Sequence[bool]) -> float:
    """Mean squared distance of confidence and outcome (Brier 1950), in [0, 1]; 0.25 for a coin that says so."""
    p, hits = _checked(confidences, right, 1)
    return float(((p - hits) ** 2).mean())


def _checked(
    confidences: Sequence[float], right: Sequence[bool], bins: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    p, hits = np.asarray(confidences, dtype=float), np.asarray(right, dtype=float)
    if p.ndim != 1 or not len(p) or p.shape != hits.shape or bins < 1:
        raise ValueError(f"{p.shape} confidences, {hits.shape} outcomes and {bins} bins make no reliability")
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("a confidence lies outside [0, 1]")
    return p, hits
