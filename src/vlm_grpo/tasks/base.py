"""What a task is: what its rows ask and what an answer is worth. Everything else asks it.

A new task is one file with a `Task` (a folder where its builder is long), one line in `tasks/registry.py` and one test.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vlm_grpo.errors import UserError
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.base import AnswerKind
from vlm_grpo.tasks.answers.rules import Rule
from vlm_grpo.tasks.counterfactuals import OF_KIND, Counterfactuals
from vlm_grpo.tasks.outlines import Outline
from vlm_grpo.tasks.view import AS_IS, View

Credit = Callable[[Any, Any, Row, View], float]
"""(said, truth, row, view) -> what the answer is worth, 0 to 1; `said` is never None, and in pixels (`to_pixels`)."""
Move = Callable[[Any, View], Any]
"""(answer, view) -> the same answer in another frame."""
Outlines = Callable[[Any, Row], Sequence[Outline]]
"""(answer or evidence, row) -> what is drawn of it on the row's first picture; it is in its pixels."""
Wording = Callable[[Any, AnswerKind], str]
"""(truth, kind of answer) -> what SFT teaches the model to say."""
OWN_COMPLETION = "completion"
"""The lesson that is the text in the row's own column of this name (`own_completion`)."""
Lesson = Callable[[Row, View], str]
"""(row, view) -> a whole completion that SFT teaches, made of more of the row than its answer."""
Evidence = Callable[[str, Row, View], Any]
"""(completion, row, view) -> what the completion shows beside its answer, as a JSON value, in pixels."""
Probe = Callable[[str, Row], bool]
"""(completion, row) -> whether it shows what is watched for."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one completion is worth.

    Attributes:
        said: the answer read, None where none could be; what lies in a picture is in its own pixels.
        truth: the row's true answer.
        credit: partial credit, 0 to 1; 0 for an answer that cannot be read.
        right: whether it counts as right, which feeds the exact tests.
        evidence: what the completion shows beside its answer, where the task reads that; no part of credit.
    """

    said: Any
    truth: Any
    credit: float
    right: bool
    evidence: Any = None


@dataclass(frozen=True, slots=True)
class Column:
    """A column that a task adds to the tables of arms: its `header`, the score's `key`, and the number's `format`."""

    header: str
    key: str
    format: str = ".3f"


def bare(truth: Any, kind: AnswerKind) -> str:
    """The answer alone."""
    return kind.write(truth)


def tagged(truth: Any, kind: AnswerKind) -> str:
    """The answer in its block."""
    return f"<answer> {kind.write(truth)} </answer>"


def in_place(value: Any, view: View) -> Any:
    """An answer that lies in no picture is the same in every frame."""
    return value


def nothing(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """No figures of the task's own."""
    return {}


def no_manner(row: Row) -> str:
    """The reasoning may be written in any way."""
    return ""


def no_notes(scores: Mapping[str, Any]) -> tuple[str, ...]:
    """Nothing to say of an arm's scores."""
    return ()


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task.

    Attributes:
        name: as in the rows' column `task`.
        answer: the kind of answer that a row asks for.
        credit: what an answer is worth; None: 1 for the true one, else 0.
        right_from: credit from which an answer counts as right.
        to_pixels: an answer in the model's frame, as it was read, in pixels of the picture as it is: once, here.
        to_frame: a true answer, which is in pixels, in the model's frame, as SFT teaches it.
        outlines: an answer, said or true, as what is drawn of it; the evidence, where `annotated` says what is true of
            it; None: nothing can be drawn.
        wordings: what SFT can teach the model to say, by name; `lessons` the same, made of more than the answer.
        manner: how the reasoning to a row is to be written, told where reasoning is asked for; `{frame}` in it is where
            the frame of coordinates is told.
        evidence: what a completion shows beside its answer, for `figures`; None: nothing is read.
        annotated: the evidence that a row holds, in the same form.
        figures: the task's own figures of an arm, as keys of `scores.json`.
        columns: which of them stand in the tables of arms.
        published: what others report on it, to stand below the tables of arms.
        notes: what to read beside an arm's figures, to stand there too.
        slices: tables of right answers by a column of the rows: name of the table -> column.
        pair: column of the rows that is the same in both of a pair, of which a model is asked to get both right; None:
            rows stand alone.
        marker: what stands in a problem where a picture stands, once for each; None, or none of them in a problem: the
            pictures come first.
        gold: (completion, row) pairs that are right, with full credit, under the strict rule.
        hacks: (completion, row) pairs that earn nothing under any rule with tags: known ways to cheat.
        needs_judge: whether only a judge can tell if an answer to a row is right.
        counterfactuals: how answers and reasoning are turned wrong, for probes of reasoning; None: as for the kind of
            answer.
        probes: what training watches for besides the rewards, by name: a way to cheat, or to give up. Each sees one of
            the hacks and none of the gold.
    """

    name: str
    answer: Callable[[Row], AnswerKind]
    credit: Credit | None = None
    right_from: float = 1.0
    to_pixels: Move = in_place
    to_frame: Move = in_place
    outlines: Outlines | None = None
    wordings: Mapping[str, Wording] = field(default_factory=lambda: {"bare": bare, "tagged": tagged})
    lessons: Mapping[str, Lesson] = field(default_factory=dict)
    manner: Callable[[Row], str] = no_manner
    evidence: Evidence | None = None
    annotated: Callable[[Row], Any] | None = None
    figures: Callable[[Sequence[Outcome]], dict[str, Any]] = nothing
    columns: tuple[Column, ...] = ()
    published: str = ""
    notes: Callable[[Mapping[str, Any]], tuple[str, ...]] = no_notes
    slices: Mapping[str, str] = field(default_factory=dict)
    pair: str | None = None
    marker: str | None = None
    gold: tuple[tuple[str, Row], ...]
    hacks: tuple[tuple[str, Row], ...]
    needs_judge: Callable[[Row], bool] = lambda row: False
    probes: Mapping[str, Probe] = field(default_factory=dict)
    counterfactuals: Counterfactuals | None = None

    @property
    def is_graded(self) -> bool:
        """Whether an answer can be worth something between nothing and all."""
        return self.credit is not None

    def truth(self, row: Row, *, where: str = "") -> Any:
        """The row's true answer; `UserError` opened by `where` where its solution is no answer of the kind."""
        return self.answer(row).solution(row.solution, where=where or f"row {row.id}")

    def counterfactuals_of(self, row: Row) -> Counterfactuals:
        """How the answers and the reasoning of `row` are turned wrong; one that makes nothing where nobody knows."""
        return self.counterfactuals or OF_KIND.get(self.answer(row).name, Counterfactuals())

    def outcome(self, text: str, row: Row, *, rule: Rule, view: View = AS_IS) -> Outcome:
        """What the completion `text` of `row` is worth, read by `rule`; `UserError` where only a judge can tell."""
        if self.needs_judge(row):
            raise UserError(f"row {row.id} leaves it to a judge what is right, and none is asked here")
        kind, truth = self.answer(row), self.truth(row)
        said = kind.read(text, rule)
        evidence = self.evidence(text, row, view) if self.evidence else None
        if said is None:
            return Outcome(None, truth, 0.0, right=False, evidence=evidence)
        said = self.to_pixels(said, view)
        credit = float(kind.same(said, truth)) if self.credit is None else self.credit(said, truth, row, view)
        return Outcome(said, truth, credit, right=credit >= self.right_from, evidence=evidence)

    def drawn(self, row: Row, outcome: Outcome | None = None) -> Sequence[Outline]:
        """What is drawn on the picture of `row`: of `outcome`, or without one of the truth."""
        if self.outlines is None:
            return ()
        if self.annotated is None:
            value = self.truth(row) if outcome is None else outcome.said
        else:
            value = self.annotated(row) if outcome is None else outcome.evidence
        return () if value is None else self.outlines(value, row)

    def target(self, row: Row, wording: str, view: View = AS_IS) -> str:
        """What SFT teaches a model that sees `row` in `view` to say to it, in the `wording` of that name."""
        if wording in self.lessons:
            return self.lessons[wording](row, view)
        if wording not in self.wordings:
            known = ", ".join((*self.wordings, *self.lessons))
            raise UserError(f"unknown target {wording!r} of task {self.name}; known: {known}")
        return self.wordings[wording](self.to_frame(self.truth(row), view), self.answer(row))


def own_completion(row: Row, view: View) -> str:
    """The completion that `row` brings, as it stands; `UserError` where it has none."""
    text = row.meta.get(OWN_COMPLETION)
    if not isinstance(text, str) or not text.strip():
        raise UserError(
            f"row {row.id} has no text in its column {OWN_COMPLETION!r}, which target {OWN_COMPLETION!r} teaches; "
            "give it one, or choose another target"
        )
    return text


def always(kind: AnswerKind) -> Callable[[Row], AnswerKind]:
    """Every row asks for an answer of `kind`."""
    return lambda row: kind
