"""Whether a judged answer is right: as the evaluation that wrote the generations has it, read once and by its rule."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vlm_grpo.errors import UserError
from vlm_grpo.evaluation import generations, outcomes
from vlm_grpo.rows.records import Row
from vlm_grpo.store import manifest
from vlm_grpo.tasks.answers.rules import Rule
from vlm_grpo.tasks.registry import task_of


@dataclass(frozen=True, slots=True)
class Correctness:
    """What the folder of a file of generations says about its answers.

    Attributes:
        records: its outcomes by row id; none for evaluations of earlier versions and files of other programs.
        rule: how such an evaluation reads answers; None for files of other programs, whose answers are read strictly.
    """

    records: Mapping[str, outcomes.OutcomeRecord]
    rule: Rule | None

    @classmethod
    def beside(cls, path: Path) -> "Correctness":
        """That of the file of generations `path`."""
        folder = path.parent
        if path.name != generations.FILE or not manifest.exists(folder):
            return cls({}, None)
        return cls(outcomes.read(folder), manifest.read(folder)["config"].get("answers"))

    def of(self, row: Row, text: str, answer: str, *, where: str) -> tuple[bool | None, str]:
        """Whether `answer`, taken from the completion `text` of `row`, is right, and the rule that says so.

        None where no answer could be read. `UserError` opened by `where` for a row that the evaluation lacks.
        """
        if self.records:
            if row.id not in self.records:
                raise UserError(f"{where}: row {row.id!r} has no line in {outcomes.FILE}; evaluate again")
            record = self.records[row.id]
            return None if record.said is None else record.right, record.rule
        task = task_of(row, where=where)
        outcome = task.outcome(text, row, rule=self.rule) if self.rule else task.outcome(answer, row, rule="bare")
        return None if outcome.said is None else outcome.right, self.rule or "strict"
