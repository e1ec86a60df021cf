"""Is the picture used? The same questions once more, without their pictures: an evaluation beside the evaluation.

blank   a white picture of the same size
other   the picture of another row, drawn once with the seed; rows that share a picture get the same other one

A model that answers as well either way has not looked. The answers lie in `OUT/<control>/`, an evaluation like any
other; `scores.json` of OUT has their accuracy and the exact McNemar test on the same rows. Looking at where the
attention goes proves less.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from vlm_grpo.errors import UserError
from vlm_grpo.rows.records import Row
from vlm_grpo.statistics.paired import mcnemar_exact, paired_counts
from vlm_grpo.statistics.shares import accuracy_share
from vlm_grpo.tasks.base import Outcome

CONTROLS = ("blank", "other")


def shown_instead(rows: Sequence[Row], control: str | None, *, seed: int, where: str) -> list[Row]:
    """`rows` with the pictures that `control` shows in place of theirs; `blank` ones are made when a batch is.

    `UserError` where no row has a picture of somebody else to be shown.
    """
    if control != "other":
        return list(rows)
    others = _others(rows, seed)
    if len(others) < 2:
        raise UserError(f"{where}: no picture of another row to show; controls 'other' needs rows of several pictures")
    return [row.model_copy(update={"images": others[row.images]}) if row.images else row for row in rows]


def _others(rows: Sequence[Row], seed: int) -> dict[tuple[str, ...], tuple[str, ...]]:
    """For each set of pictures the next one in a seeded circle of those with as many pictures."""
    others: dict[tuple[str, ...], tuple[str, ...]] = {}
    distinct = list(dict.fromkeys(row.images for row in rows if row.images))
    random.Random(f"other pictures {seed}").shuffle(distinct)
    for count in sorted({len(images) for images in distinct}):
        circle = [images for images in distinct if len(images) == count]
        others |= zip(circle, [*circle[1:], circle[0]], strict=True)
    return others


def compared(shown: Mapping[str, Outcome], control: Mapping[str, Outcome], *, confidence: float) -> dict[str, Any]:
    """Accuracy under a control beside that of the rows as they are: `b` rows are right only with their own picture."""
    right = {id: outcome.right for id, outcome in control.items()}
    counts = paired_counts({id: outcome.right for id, outcome in shown.items()}, right)
    return {
        **accuracy_share(sum(right.values()), len(right), confidence),
        "b": counts.b,
        "c": counts.c,
        "difference": counts.difference,
        "mcnemar_p": mcnemar_exact(counts.b, counts.c),
    }
