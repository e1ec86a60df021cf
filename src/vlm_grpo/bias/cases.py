"""What a bias is planted in: labelled rows cut down to id, relation, label and picture.

Read from a data set's rows; `facts` makes the same cases without captions or pictures. A row whose relation or label
cannot be read is refused, so that everything that follows may rely on both.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vlm_grpo.errors import UserError
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.truth import TRUTH
from vlm_grpo.tasks.registry import task_of


@dataclass(frozen=True, slots=True)
class Case:
    """One labelled row: its id, the relation it states, whether it is true, and the picture's name."""

    id: str
    relation: str
    label: bool
    image: str


def read_cases(rows: Iterable[Row], *, where: str) -> list[Case]:
    """The cases of a data set's rows; `UserError` naming the first row whose relation or label cannot be used."""
    return [_case(row, where=f"{where} row {row.id}") for row in rows]


def _case(row: Row, *, where: str) -> Case:
    label = truth_of(row, where=where)
    relation = row.meta.get("relation")
    if not isinstance(relation, str) or not relation.strip():
        raise UserError(f"{where}: relation {relation!r} is empty; a text bias needs one in every row")
    if row.meta.get("label", int(label)) != int(label):
        raise UserError(f"{where}: label {row.meta['label']!r} is not {int(label)}, which its solution says; mend it")
    return Case(row.id, relation, label, row.images[0] if row.images else "")


def truth_of(row: Row, *, where: str) -> bool:
    """The row's label; `UserError` opened by `where` unless its task asks for True or False: a bias needs that."""
    task = task_of(row, where=where)
    kind = task.answer(row)
    if kind is not TRUTH:
        raise UserError(
            f"{where}: a bias needs answers that are True or False; the task {task.name} asks for {kind.asks}"
        )
    label: bool = task.truth(row, where=where)
    return label


def lottery(id: str, *, seed: int) -> str:
    """A key whose order is a random permutation of ids, the same whatever order or process they come in."""
    return hashlib.sha256(f"{seed} {id}".encode()).hexdigest()


def drawn_order(cases: Iterable[Case], *, seed: int) -> list[Case]:
    """`cases` in the order of their lots."""
    return sorted(cases, key=lambda case: lottery(case.id, seed=seed))


def label_counts(cases: Iterable[Case]) -> dict[str, Counter[bool]]:
    """How many true and false cases each relation has, relations in alphabetical order."""
    counts: dict[str, Counter[bool]] = {}
    for case in cases:
        counts.setdefault(case.relation, Counter())[case.label] += 1
    return dict(sorted(counts.items()))


def true_rows(cases: Sequence[Case]) -> int:
    """How many of `cases` are true."""
    return sum(case.label for case in cases)
