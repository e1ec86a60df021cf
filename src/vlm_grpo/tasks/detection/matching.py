"""Which said boxes are which true ones: the best assignment of the whole list, so its order plays no part.

A pair needs the same label (without regard to case and surrounding spaces) and an IoU of at least the threshold. Of all
assignments the one with the most pairs is taken, and among these the one with the largest sum of IoUs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

Labelled = Mapping[str, Any]
"""`bbox_2d` [left, top, right, bottom] and `label`, which may be None: such a box pairs with none."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """The IoUs of the pairs, and how many boxes there are on both sides."""

    ious: tuple[float, ...]
    said: int
    true: int

    @property
    def precision(self) -> float:
        """Pairs per said box; 0 where none is said."""
        return len(self.ious) / self.said if self.said else 0.0

    @property
    def recall(self) -> float:
        """Pairs per true box; 0 where there is none."""
        return len(self.ious) / self.true if self.true else 0.0


def label_of(box: Labelled) -> str | None:
    """The label as it is compared; None where there is none."""
    return box["label"].strip().casefold() if isinstance(box.get("label"), str) else None


def iou_table(said: Sequence[Labelled], true: Sequence[Labelled]) -> np.ndarray:
    """IoU of each of `said` (rows) with each of `true` (columns); 0 where their labels differ."""
    if not said or not true:
        return np.zeros((len(said), len(true)))
    a, b = (np.array([box["bbox_2d"] for box in boxes], dtype=float) for boxes in (said, true))
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0.0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (a, b)]
    ious = shared / (areas[0][:, None] + areas[1][None, :] - shared)
    same = [[label_of(x) is not None and label_of(x) == label_of(y) for y in true] for x in said]
    return np.where(same, ious, 0.0)


def pair(ious: np.ndarray, *, threshold: float = 0.5) -> Pairs:
    """The best assignment of the rows of `ious` to its columns."""
    said, true = ious.shape
    eligible = ious >= threshold
    weights = np.where(eligible, min(said, true) + 1 + ious, 0.0)
    rows, columns = linear_sum_assignment(weights, maximize=True)
    chosen = [float(ious[row, column]) for row, column in zip(rows, columns, strict=True) if eligible[row, column]]
    return Pairs(tuple(chosen), said, true)
