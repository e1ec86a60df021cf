"""The study's text-biased training sets, made as the study made them (reference, section 7).

In each relation all rows of the majority label stay, and `int(minority * keep)` rows of the minority label, drawn by
pandas. Its quirks are part of it and are told, not mended:

    ties          where both labels are as frequent, the label met first counts as majority and as minority: the other
                  one vanishes, and rows of the first are taken twice
    prior         the share of true rows moves with the bias
    keep = 1      takes no minority row at all, as keep = 0 does

What comes out depends on the order of the rows. `balanced` is the construction without these.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from vlm_grpo.bias.cases import Case, label_counts, true_rows
from vlm_grpo.errors import UserError

LEVELS = {"acc_0.627": 0.8, "acc_0.69": 0.6, "acc_0.97": 0.05, "acc_0.997": 0.0}
"""The study's levels and the keep ratio of each; a level is called after its probe's accuracy."""
EXTREME = "extreme"
EXTREME_NAME = "acc_extreme_small"
EXTREME_ROWS = 5


@dataclass(frozen=True)
class Undersampled:
    """A published set: its rows, of which those in `copies` (positions) repeat an earlier one, and the quirks met."""

    cases: list[Case]
    copies: frozenset[int]
    shortcut: dict[str, bool]
    quirks: dict[str, Any]


def undersample(cases: Sequence[Case], *, keep: float, seed: int) -> Undersampled:
    """Keep every row of each relation's majority label and a share `keep` of the others; order of `cases` matters."""
    if not 0 <= keep <= 1:
        raise UserError(f"keep {keep} is outside [0, 1]; it is the share of minority rows that stays")
    chosen: list[int] = []
    copies: set[int] = set()
    shortcut: dict[str, bool] = {}
    table = pd.DataFrame({"relation": [c.relation for c in cases], "label": [c.label for c in cases]})
    for relation, group in table.groupby("relation"):
        frequency = group["label"].value_counts()  # equals stay in order of appearance
        majority, minority = bool(frequency.idxmax()), bool(frequency.idxmin())
        shortcut[str(relation)] = majority
        chosen += group.index[group["label"] == majority].tolist()
        rest = group[group["label"] == minority]
        drawn = rest.sample(0 if keep == 1 else int(len(rest) * keep), random_state=seed).index.tolist()
        if minority == majority:
            copies.update(range(len(chosen), len(chosen) + len(drawn)))
        chosen += drawn
    taken = [cases[position] for position in chosen]
    return Undersampled(taken, frozenset(copies), shortcut, _quirks(cases, taken, len(copies), keep))


def extreme(cases: Sequence[Case]) -> Undersampled:
    """The first five false rows: the study's smallest set, whose label never changes."""
    taken = [case for case in cases if not case.label][:EXTREME_ROWS]
    if len(taken) < EXTREME_ROWS:
        raise UserError(f"level {EXTREME} takes the first {EXTREME_ROWS} false rows; there are {len(taken)}")
    return Undersampled(taken, frozenset(), {c.relation: False for c in taken}, _quirks(cases, taken, 0, None))


def _quirks(before: Sequence[Case], after: Sequence[Case], copies: int, keep: float | None) -> dict[str, Any]:
    source, made = label_counts(before), label_counts(after)
    return {
        "tied_relations": [r for r, labels in source.items() if labels[True] == labels[False]],
        "relations_that_lost_a_label": [r for r, labels in source.items() if len(labels) > len(made.get(r, labels))],
        "relations_lost": [r for r in source if r not in made],
        "duplicates": copies,
        "true_share_before": true_rows(before) / len(before),
        "true_share_after": true_rows(after) / len(after),
        "keep_1_dropped_every_minority_row": keep == 1,
        "depends_on_row_order": True,
    }
