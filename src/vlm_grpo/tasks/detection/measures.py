"""What a list of boxes is worth: VLM-R1's four measures of one answer, each 0 to 1, mended.

average_precision   AP over IoU .50 to .95 (`map`), or at .50 (`map50`)
od_length           AP times min(1, true boxes / said boxes) (`odLength`)
weighted            .7 of the mean IoU and .3 of completeness (`weighted_sum`)

A completion's boxes have no scores, so all of them stand at one point of the precision-recall curve, and AP is
precision times recall there, whatever their order. It is the mean over all labels that are true or said: a label that
is not there has AP 0, where COCO's own evaluation and VLM-R1's leave it out. A second box on one object lowers
precision. Where nothing is to be listed, an empty list is worth 1 and any other 0; an answer that cannot be read never
gets here.
"""

from collections.abc import Sequence

import numpy as np

from vlm_grpo.tasks.detection.matching import Labelled, iou_table, label_of, pair

AT_50 = (0.5,)
COCO = tuple(0.5 + 0.05 * step for step in range(10))
"""COCO's IoU thresholds."""
POSITION, COMPLETENESS = 0.7, 0.3


def average_precision(
    said: Sequence[Labelled], true: Sequence[Labelled], *, thresholds: Sequence[float] = COCO
) -> float:
    """The mean over labels and `thresholds` of precision times recall."""
    if not said or not true:
        return float(len(said) == len(true))
    table = iou_table(said, true)
    labels = {label_of(box) for box in (*said, *true)}
    of_said, of_true = (np.array([label_of(box) for box in boxes], dtype=object) for boxes in (said, true))
    values = []
    for label in labels:
        part = table[of_said == label][:, of_true == label]
        for threshold in thresholds:
            pairs = pair(part, threshold=threshold)
            values.append(pairs.precision * pairs.recall)
    return sum(values) / len(values)


def od_length(said: Sequence[Labelled], true: Sequence[Labelled]) -> float:
    """AP, less where more boxes are said than are true."""
    return average_precision(said, true) * min(1.0, len(true) / len(said) if said else 1.0)


def weighted(said: Sequence[Labelled], true: Sequence[Labelled]) -> float:
    """.7 of the IoUs of all pairs per true box, .3 of what is left of 1 for boxes missed and boxes too many."""
    if not said or not true:
        return float(len(said) == len(true))
    pairs = pair(iou_table(said, true))
    position = sum(pairs.ious) / len(true)
    completeness = (pairs.precision + pairs.recall) / 2
    return POSITION * position + COMPLETENESS * completeness
