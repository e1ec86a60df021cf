"""What a probe is fitted on and scored on, and what its scores are: common to the probes of pictures and of questions.

A probe is fitted on four fifths of the training split and scored on those, on the held-out fifth and on other splits.
The fifth is drawn by picture, so that no picture is on both sides.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import GroupShuffleSplit

from vlm_grpo.bias.cases import truth_of
from vlm_grpo.errors import UserError
from vlm_grpo.rows import dataset
from vlm_grpo.rows.pictures import SOURCE_IMAGES
from vlm_grpo.rows.records import Row
from vlm_grpo.statistics.shares import accuracy_share
from vlm_grpo.tables import Table

HELD_OUT_SHARE = 0.2


@dataclass(frozen=True)
class Part:
    """Rows under a name, with their labels: bool of shape (rows,)."""

    name: str
    rows: list[Row]
    labels: np.ndarray


@dataclass(frozen=True)
class PartScore:
    """How often a probe is right on a part: fractions, with Wilson's 95 % interval.

    `commoner` is the share of the part's commoner label: what always saying it would score.
    """

    probe: str
    part: str
    n: int
    correct: int
    accuracy: float
    ci_low: float
    ci_high: float
    commoner: float

    def as_json(self) -> dict[str, Any]:
        """For `probe.json`."""
        return asdict(self)


def parts_of(root: Path, train_split: str, heldout: Sequence[str], *, seed: int) -> list[Part]:
    """The part to fit on, the held-out fifth of its split, and the splits `heldout`, in this order.

    `UserError` when a label cannot be read or the part to fit on lacks one of the labels.
    """
    whole = _part(root, train_split)
    pictures = [" ".join(row.meta.get(SOURCE_IMAGES, row.images)) for row in whole.rows]
    if len(set(pictures)) < 2:
        raise UserError(f"{root} split {train_split!r} has fewer than two pictures; nothing could be held out")
    splitter = GroupShuffleSplit(n_splits=1, test_size=HELD_OUT_SHARE, random_state=seed)
    fitted, kept_back = next(splitter.split(pictures, groups=pictures))
    parts = [_select(whole, f"{train_split} (fitted)", fitted), _select(whole, f"{train_split} (held out)", kept_back)]
    if len(set(parts[0].labels.tolist())) < 2:
        raise UserError(f"{root} split {train_split!r}: the rows to fit a probe on all have one label")
    return parts + [_part(root, split) for split in heldout]


def _part(root: Path, split: str) -> Part:
    rows = dataset.load(root, split)
    labels = [truth_of(row, where=f"{root} split {split!r} row {row.id}") for row in rows]
    return Part(split, rows, np.array(labels))


def _select(part: Part, name: str, indices: np.ndarray) -> Part:
    return Part(name, [part.rows[i] for i in indices], part.labels[indices])


def score(probe: str, part: Part, predicted: np.ndarray) -> PartScore:
    """The score of the predictions, bool of shape (rows,)."""
    share = float(part.labels.mean())
    accuracy = accuracy_share(int((predicted == part.labels).sum()), len(part.rows))
    return PartScore(probe=probe, part=part.name, **accuracy, commoner=max(share, 1 - share))


def table(scores: Sequence[PartScore], *, title: str) -> Table:
    """The scores for reading."""
    return Table(
        title=title,
        header=("probe", "rows", "n", "accuracy", "95 % interval", "commoner label"),
        rows=tuple(
            (s.probe, s.part, str(s.n), f"{s.accuracy:.3f}", f"{s.ci_low:.3f} to {s.ci_high:.3f}", f"{s.commoner:.3f}")
            for s in scores
        ),
        notes=("Wilson intervals; commoner label: what always saying it would score",),
    )
