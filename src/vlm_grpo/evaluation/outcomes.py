"""`outcomes.jsonl`: what each generation of an evaluation is worth, read once; everything else joins it by id.

One line a row: `id`, `task`, `rule` (how the answer was read), `said` (null: no answer could be read), `truth`,
`credit` (0 to 1), `right` and, where the task reads more than the answer, `evidence`. Evaluations of earlier versions
have no such file: there the answers are read from the generations, by the rule that the evaluation states.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from vlm_grpo.errors import UserError
from vlm_grpo.evaluation import records_by_id
from vlm_grpo.evaluation.generations import Generation
from vlm_grpo.evaluation.records_by_id import RowRecord
from vlm_grpo.rows.records import Row
from vlm_grpo.store import jsonl
from vlm_grpo.tasks.answers.rules import Rule
from vlm_grpo.tasks.base import Outcome
from vlm_grpo.tasks.registry import task_of
from vlm_grpo.tasks.view import AS_IS, View

FILE = "outcomes.jsonl"


class OutcomeRecord(RowRecord):
    """One line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    rule: str
    said: Any
    truth: Any
    credit: float
    right: bool
    evidence: Any = None

    @property
    def outcome(self) -> Outcome:
        """The line without the row's names."""
        return Outcome(self.said, self.truth, self.credit, self.right, self.evidence)


def judge_rows(
    generations: Mapping[str, Generation],
    rows: Sequence[Row],
    *,
    rule: Rule,
    views: Mapping[str, View] | None = None,
    where: Path,
    graded: Mapping[str, Outcome] | None = None,
) -> dict[str, Outcome]:
    """The outcome of each of `rows`, by id, its answer read by `rule`; `views` say how the pictures were shown.

    `graded` are the outcomes that a judge told.

    `UserError` unless there is exactly one generation a row.
    """
    check_complete(generations, rows, where=where)
    views, graded = views or {}, graded or {}
    return {
        row.id: graded[row.id]
        if row.id in graded
        else task_of(row).outcome(generations[row.id].text, row, rule=rule, view=views.get(row.id, AS_IS))
        for row in rows
    }


def check_complete(by_id: Mapping[str, Any], rows: Sequence[Row], *, where: Path) -> None:
    """`UserError` unless `by_id`, read from `where`, has each of `rows` and nothing else."""
    ids = {row.id for row in rows}
    missing, foreign = ids - by_id.keys(), by_id.keys() - ids
    if missing or foreign:
        name, lack = (min(missing), "lacks") if missing else (min(foreign), "has")
        raise UserError(
            f"{where} {lack} row {name!r} ({len(missing)} of {len(ids)} rows missing, {len(foreign)} foreign); the "
            "folder is not whole: copy it again, or evaluate again"
        )


def write(folder: Path, outcomes: Mapping[str, Outcome], rows: Sequence[Row], *, rule: Rule) -> None:
    """Write the outcomes of `rows` to `folder`, in the rows' order."""
    jsonl.write(
        folder / FILE,
        [
            OutcomeRecord(
                id=row.id,
                task=row.task,
                rule=rule,
                said=outcomes[row.id].said,
                truth=outcomes[row.id].truth,
                credit=outcomes[row.id].credit,
                right=outcomes[row.id].right,
                evidence=outcomes[row.id].evidence,
            ).model_dump(exclude={"evidence"} if outcomes[row.id].evidence is None else None)
            for row in rows
        ],
    )


def read(folder: Path) -> dict[str, OutcomeRecord]:
    """The outcomes in `folder` by row id; none where there is no such file."""
    remedy = "evaluate again"
    return records_by_id.read(folder / FILE, OutcomeRecord, is_finished=True, damaged=remedy, twice=remedy)
