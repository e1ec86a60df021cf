"""The task `jsonl`: own questions, each read and compared as its record says (`methods`).

A problem holds `<image>` where a picture stands, once for each picture, or not at all: then the pictures come first.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.base import AnswerKind
from vlm_grpo.tasks.base import Column, Outcome, Task
from vlm_grpo.tasks.jsonl import methods

NAME = "jsonl"
METHOD = "accu_reward_method"
FILE = "file"
MARKER = "<image>"


def answer(row: Row) -> AnswerKind:
    """The kind of answer that the row's `accu_reward_method` names; `UserError` where it is not known."""
    return methods.kind_of(row.meta.get(METHOD, methods.DEFAULT), row.solution)


def needs_judge(row: Row) -> bool:
    """Whether the row's `accu_reward_method` leaves it to a judge what is right."""
    return row.meta.get(METHOD) == methods.JUDGED


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """`constant`, the share that the one answer that is right most often would get right."""
    truths = Counter(repr(outcome.truth) for outcome in outcomes)
    return {"constant": max(truths.values()) / truths.total() if truths else None}


def _row(method: str, solution: str) -> Row:
    return Row(
        id=f"example-{method}",
        images=("images/0/before.png", "images/0/after.png"),
        problem=f"Before: {MARKER} After: {MARKER} What has happened?",
        solution=solution,
        task=NAME,
        meta={METHOD: method},
    )


_TEXT, _CHOICE, _YES = _row("all_match", "Operation No Response"), _row("mcq", "B"), _row("yes_no", "No")
_FORMULA = _row("math", r"\frac{1}{2}")
_NUMBER, _LIST, _TRUE = _row("default", "2.5"), _row("default", "[3, 7]"), _row("true_false", "True")

TASK = Task(
    name=NAME,
    answer=answer,
    marker=MARKER,
    needs_judge=needs_judge,
    figures=figures,
    columns=(Column("a constant", "constant"),),
    slices={"methods": METHOD, "files": FILE},
    gold=(
        ("<think> nothing moves </think> <answer> operation no response. </answer>", _TEXT),
        ("<answer> (B) </answer>", _CHOICE),
        ("<answer> B) </answer>", _CHOICE),
        ("<answer> no </answer>", _YES),
        ("<answer> 2.50 </answer>", _NUMBER),
        ("<answer> [3,7] </answer>", _LIST),
        ("<answer> True </answer>", _TRUE),
        ("<answer> 0.5 </answer>", _FORMULA),
    ),
    hacks=(
        ("<answer> Operation No Response, or Unexpected Task Result </answer>", _TEXT),
        ("<answer> Operation No Respond </answer>", _TEXT),
        ("Operation No Response", _TEXT),
        ("<answer> B or C </answer>", _CHOICE),
        ("<answer> ABCD </answer>", _CHOICE),
        ("<answer> not sure </answer>", _YES),
        ("<answer> none </answer>", _YES),
        ("<answer> yes and no </answer>", _YES),
        ("<answer> 2 or 2.5 </answer>", _NUMBER),
        ("<answer> [7, 3] </answer>", _LIST),
        ("<answer> 0.5, 2 </answer>", _FORMULA),
        ("<answer> half </answer>", _FORMULA),
        ("<answer> False, no, True </answer>", _TRUE),
        ("<think> <answer> True </answer>", _TRUE),
        ("", _TRUE),
    ),
)
