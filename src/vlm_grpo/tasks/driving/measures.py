"""What the boxes that a completion names are worth beside the true ones, each 0 to 1.

shared     twice the IoUs of the pairs per box on either side: recall and precision in one, like F1
at_50      the same of pairs from an IoU of .5, each of which counts in full
precise    the IoUs of the pairs per box said: no recall, so one good box beats five
of_study   the study's: per box said, its IoU with the true box of its label, else the best with any (reference, 3.2)

Pairs are those of the largest sum of IoUs, one to one and of one label. A box that is named again, as it is or nearly
so, is one box: it neither earns nor costs (else a repeat could pair with a second true box that overlaps the first).
The study kept one box a label on both sides, the last one.
"""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from vlm_grpo.tasks.detection.matching import Labelled, iou_table, label_of, pair
from vlm_grpo.tasks.rec.boxes import iou

SAME_IOU = 0.9
"""From which two boxes of one label are one."""


def distinct(boxes: Sequence[Labelled]) -> list[Labelled]:
    """`boxes` without those that repeat an earlier one."""
    repeats = np.tril(iou_table(boxes, boxes) >= SAME_IOU, k=-1)
    kept: list[int] = []
    for place in range(len(boxes)):
        if not repeats[place, kept].any():
            kept.append(place)
    return [boxes[place] for place in kept]


def pair_ious(said: Sequence[Labelled], true: Sequence[Labelled]) -> list[float]:
    """The IoUs of the pairs that overlap, of boxes that are distinct on both sides."""
    table = iou_table(said, true)
    rows, columns = linear_sum_assignment(table, maximize=True)
    return [float(table[row, column]) for row, column in zip(rows, columns, strict=True) if table[row, column] > 0]


def shared(said: Sequence[Labelled], true: Sequence[Labelled]) -> float:
    """1 for the true boxes and no other; where nothing is to be named, 1 for nothing."""
    said, true = distinct(said), distinct(true)
    if not said or not true:
        return float(len(said) == len(true))
    return 2 * sum(pair_ious(said, true)) / (len(said) + len(true))


def at_50(said: Sequence[Labelled], true: Sequence[Labelled]) -> float:
    """F1 of the boxes that pair from an IoU of .5 on; where nothing is to be named, 1 for nothing."""
    said, true = distinct(said), distinct(true)
    if not said or not true:
        return float(len(said) == len(true))
    return 2 * len(pair(iou_table(said, true)).ious) / (len(said) + len(true))


def precise(said: Sequence[Labelled], true: Sequence[Labelled]) -> float:
    """As `shared`, but what is not named costs nothing, unless nothing is."""
    said, true = distinct(said), distinct(true)
    if not said or not true:
        return float(len(said) == len(true))
    return sum(pair_ious(said, true)) / len(said)


def of_study(said: Sequence[Labelled], true: Sequence[Labelled]) -> float:
    """The study's box reward; 0 where nothing is said, or nothing is true."""
    if not said or not true:
        return 0.0
    said_of, true_of = ({label_of(box): box["bbox_2d"] for box in boxes} for boxes in (said, true))
    ious = [
        iou(box, true_of[label]) if label in true_of else max(iou(box, other) for other in true_of.values())
        for label, box in said_of.items()
    ]
    return sum(ious) / len(ious)
