"""The task `digits`: which handwritten digits does a picture show, and what is their sum? (r1_vlm's first task)"""

from typing import Any

from vlm_grpo.errors import UserError
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.base import AnswerKind
from vlm_grpo.tasks.answers.number import NUMBER, NUMBERS
from vlm_grpo.tasks.base import Task
from vlm_grpo.tasks.blocks import answer_block
from vlm_grpo.tasks.digits.questions import MOST, NAME, PROBLEMS, Question

KINDS: dict[Any, AnswerKind] = {"list": NUMBERS, "sum": NUMBER}
"""By question, as the rows' column `question` says."""


def answer(row: Row) -> AnswerKind:
    """A list of numbers, in ascending order, or their sum; `UserError` where the row does not say which."""
    question = row.meta.get("question")
    if question not in KINDS:
        raise UserError(f"row {row.id}: question {question!r} is neither list nor sum; build the data set again")
    return KINDS[question]


def out_of_range(completion: str, row: Row) -> bool:
    """Whether it answers what no picture shows: no number, no digits or too many of them, too great a sum."""
    if answer_block(completion) is None:
        return False
    said = answer(row).read(completion, "relaxed")
    if isinstance(said, list):
        return not 0 < len(said) <= MOST or any(digit not in range(10) for digit in said)
    return said not in range(9 * MOST + 1)


def _row(question: Question, solution: str) -> Row:
    return Row(
        id=f"example-{question}",
        images=("images/digits.png",),
        problem=PROBLEMS[question],
        solution=solution,
        task=NAME,
        meta={"question": question, "count": 3},
    )


_LIST, _SUM = _row("list", "[3, 7, 8]"), _row("sum", "18")

TASK = Task(
    name=NAME,
    answer=answer,
    slices={"questions": "question", "digits": "count"},
    gold=(
        ("<think> I see 7, 3 and 8. </think> <answer> [3, 7, 8] </answer>", _LIST),
        ("<answer> 3, 7, 8 </answer>", _LIST),
        ("<think> 7 + 3 + 8 </think> <answer> 18 </answer>", _SUM),
    ),
    hacks=(
        ("<answer> [8, 7, 3] </answer>", _LIST),
        ("<answer> [3, 7] </answer>", _LIST),
        ("<answer> [3, 3, 7, 8] </answer>", _LIST),
        ("<answer> [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] </answer>", _LIST),
        ("<answer> 18 </answer>", _LIST),
        ("<answer> [3, 7, 8", _LIST),
        ("<answer> [3, 7, 8] </answer>", _SUM),
        ("<answer> 17 or 18 </answer>", _SUM),
        ("18", _SUM),
        ("", _SUM),
    ),
    probes={"out_of_range": out_of_range},
)
