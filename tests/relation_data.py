"""Rows whose relations and labels are counted out, as bias tests need them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tiny_data import COLOURS, save_tiny_data
from vlm_grpo.bias.cases import Case
from vlm_grpo.rows.records import Row

Counts = Mapping[str, tuple[int, int]]
"""True and false rows by relation."""

TRAIN: Counts = {"on": (9, 7), "under": (5, 8), "left of": (6, 6), "near": (4, 1), "across": (0, 1), "past": (1, 1)}
HELD_OUT: Counts = {"on": (3, 3), "under": (4, 2), "left of": (2, 2), "between": (1, 1)}


def relation_cases(counts: Counts, *, split: str = "train") -> list[Case]:
    """One case a row of `counts`, true and false ones of a relation in turns."""
    cases = []
    for relation, (true, false) in counts.items():
        turns = [(turn, label) for label, rows in ((True, true), (False, false)) for turn in range(rows)]
        for _, label in sorted(turns, key=lambda turn: (turn[0], not turn[1])):
            number = len(cases)
            cases.append(Case(f"{split}-{number:03d}", relation, label, f"images/{COLOURS[number % 4]}.png"))
    return cases


def relation_row(case: Case, **meta: Any) -> Row:
    """The case as a data set has it."""
    return Row(
        id=case.id,
        images=(case.image,),
        problem=f"Is the following statement true: The circle is {case.relation} the square.",
        solution=f"<answer> {case.label} </answer>",
        task="vsr",
        meta={"relation": case.relation, "label": int(case.label), **meta},
    )


def save_relation_data(root: Path, **splits: list[Row]) -> Path:
    """A data set over four pictures: by default train as in `TRAIN`, validation and test as in `HELD_OUT`."""
    counts = {"train": TRAIN, "validation": HELD_OUT, "test": HELD_OUT}
    rows = {
        name: [relation_row(case) for case in relation_cases(of_split, split=name)] for name, of_split in counts.items()
    }
    return save_tiny_data(root, **{**rows, **splits})
