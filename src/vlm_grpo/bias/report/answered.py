"""What an arm of the bias study answered: finished evaluations read back, every row with its group.

An arm is one evaluation, or several of different splits, read as one: a visual cue puts the same question once with the
cue on the label's side (test_cued), once against it (test_counter), and perhaps once without (test). Groups are those
that the rows carry, or those of another data set with the same rows: so an arm trained on the original data can be
asked about a shortcut that only other arms have met.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlm_grpo.bias.cases import truth_of
from vlm_grpo.bias.marks import GROUP, SHORTCUT, group_of
from vlm_grpo.bias.report.arm_names import ArmName
from vlm_grpo.errors import UserError
from vlm_grpo.evaluation.arms import Arm, open_arm
from vlm_grpo.rows import dataset
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.blocks import reasons

Key = tuple[str, str]
"""Split and id of a row."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one row.

    Attributes:
        group: its group.
        label: what is true.
        says: what the shortcut says, None where it says nothing.
        said: what the model said, None where that cannot be read.
        reasons: whether the model reasoned before it.
    """

    group: str
    label: bool
    says: bool | None
    said: bool | None
    reasons: bool

    @property
    def is_right(self) -> bool:
        """Whether the answer is the label; an unreadable one is not."""
        return self.said is self.label


@dataclass(frozen=True)
class BiasArm:
    """A run's answers by row, and the evaluations that they come from."""

    name: ArmName
    evaluations: tuple[Arm, ...]
    answers: dict[Key, Answer]

    @property
    def overall(self) -> dict[str, Answer]:
        """One answer to every row, by id: where rows are asked with a cue and without, those without; else none."""
        return _once(self.answers) or _once({k: a for k, a in self.answers.items() if a.says is None})

    @property
    def suggested(self) -> dict[str, Answer]:
        """The answers to rows of which the shortcut says something, by id; none where rows are asked twice."""
        return _once({k: a for k, a in self.answers.items() if a.says is not None})

    def right(self, group: str) -> dict[str, bool]:
        """Which rows of `group` were answered right, by id."""
        return {id: a.is_right for (_, id), a in self.answers.items() if a.group == group}


def _once(answers: Mapping[Key, Answer]) -> dict[str, Answer]:
    """`answers` by id; none at all where a row is asked in two splits."""
    by_id = {id: answer for (_, id), answer in answers.items()}
    return by_id if len(by_id) == len(answers) else {}


def open_bias_arm(name: ArmName, folders: Sequence[Path], *, groups_from: Path | None) -> BiasArm:
    """Read the evaluations in `folders` as one arm."""
    evaluations = tuple(open_arm(folder) for folder in folders)
    answers: dict[Key, Answer] = {}
    placed: set[tuple[str, str]] = set()
    for arm in evaluations:
        split = arm.scores["split"]
        others = _marked_rows(groups_from, split, arm) if groups_from is not None else {}
        for row in arm.rows:
            marked = others[row.id] if groups_from is not None else row
            answer = _answer(
                marked,
                arm.outcomes[row.id].said,
                reasons=reasons(arm.generations[row.id].text),
                where=f"{arm.folder}: row {row.id!r}",
            )
            if (row.id, answer.group) in placed:
                raise UserError(
                    f"arm {name}: row {row.id!r} is in two of its evaluations, {answer.group} in both; give one of them"
                )
            placed.add((row.id, answer.group))
            answers[split, row.id] = answer
    return BiasArm(name, evaluations, answers)


def _marked_rows(root: Path, split: str, arm: Arm) -> dict[str, Row]:
    """The rows of `arm` as the data set `root` has them."""
    by_id = {row.id: row for row in dataset.load(root, split)}
    for row in arm.rows:
        other = by_id.get(row.id)
        if other is None:
            raise UserError(f"{root} split {split!r} has no row {row.id!r}, which {arm.folder} answered; give another")
        if _asked(row) != _asked(other):
            raise UserError(f"row {row.id!r} of {root} split {split!r} asks another question than in {arm.root}")
    return by_id


def _asked(row: Row) -> tuple[Any, ...]:
    return row.images, row.problem, row.solution


def _answer(row: Row, said: bool | None, *, reasons: bool, where: str) -> Answer:
    label = truth_of(row, where=where)
    if GROUP not in row.meta or SHORTCUT not in row.meta:
        raise UserError(
            f"{where} has no column {GROUP!r}; evaluate on a data set that bias.text or bias.vision built, or name one "
            "with the same rows with --groups-from"
        )
    says = row.meta[SHORTCUT]
    if row.meta[GROUP] != group_of(label, says):
        raise UserError(f"{where} is marked {row.meta[GROUP]!r}, its label and shortcut say {group_of(label, says)!r}")
    return Answer(row.meta[GROUP], label, says, said, reasons)


def check_comparable(arms: Mapping[str, BiasArm]) -> None:
    """`UserError` unless all arms answered the same rows, split into the same groups."""
    (first_name, first), *others = arms.items()
    for name, arm in others:
        differing = sorted(first.answers.keys() ^ arm.answers.keys())
        if differing:
            split, id = differing[0]
            raise UserError(
                f"{first_name} and {name} answered different rows ({len(differing)}, one is {id!r} of {split!r}); "
                "evaluate all arms on the same splits and limit"
            )
        asked, asked_too = _questions(first), _questions(arm)
        for split, id in asked:
            if asked[split, id] != asked_too[split, id]:
                raise UserError(f"row {id!r} of {split!r} asks {first_name} and {name} different questions")
            if first.answers[split, id].says is not arm.answers[split, id].says:
                raise UserError(
                    f"row {id!r} of {split!r}: {first_name} and {name} were built with different shortcuts; name one "
                    "data set for the groups of all arms with --groups-from, or report them one by one"
                )


def _questions(arm: BiasArm) -> dict[Key, tuple[Any, ...]]:
    return {(e.scores["split"], row.id): _asked(row) for e in arm.evaluations for row in e.rows}
