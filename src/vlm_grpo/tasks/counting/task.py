"""The task `counting`: how many things of a kind does a picture show? (R1-V's first task, on CLEVR's renderings)"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.base import AnswerKind
from vlm_grpo.tasks.answers.number import NUMBER
from vlm_grpo.tasks.base import Column, Outcome, Task, always
from vlm_grpo.tasks.blocks import answer_block
from vlm_grpo.tasks.counterfactuals import OF_KIND

NAME = "counting"
_THERE_ARE = re.compile(
    r"\b(?:there (?:are|is)|(?:image|picture) (?:contains|shows|has))(?: a total of| only| exactly)? ([\w-]+)",
    re.IGNORECASE,
)
_CHOICE = re.compile(r"[A-Z]\. (\d+)")


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """`mean_error`, the mean distance of the answers read from the truth (None where none was), and `too_many`."""
    errors = [outcome.said - outcome.truth for outcome in outcomes if outcome.said is not None]
    return {
        "mean_error": sum(map(abs, errors)) / len(errors) if errors else None,
        "too_many": sum(error > 0 for error in errors),
        "too_few": sum(error < 0 for error in errors),
    }


def ends_on(thought: str, row: Row, kind: AnswerKind) -> Any:
    """The last number that `thought` says there are ("There are five objects"); None where it says none.

    Of a list of choices ("A. 10", "B. 9", "B. 9") the one that it settles on: a lone one, or a last one said twice.
    """
    stated = _THERE_ARE.findall(thought)
    if stated:
        return kind.parse(stated[-1], True)
    lines = [line.strip() for line in thought.splitlines() if line.strip()]
    choice = _CHOICE.fullmatch(lines[-1]) if lines else None
    return kind.parse(choice[1], True) if choice and (len(lines) == 1 or lines[-1] == lines[-2]) else None


def no_count(completion: str, row: Row) -> bool:
    """Whether its answer is no whole number from 0 up: a word, several numbers, a fraction."""
    said = NUMBER.read(completion, "relaxed")
    return answer_block(completion) is not None and not (isinstance(said, int) and said >= 0)


_ROW = Row(
    id="example",
    images=("images/scene.png",),
    problem="How many different items are there in the image?",
    solution="4",
    task=NAME,
)

TASK = Task(
    name=NAME,
    answer=always(NUMBER),
    figures=figures,
    columns=(Column("mean error", "mean_error", ".2f"),),
    gold=(
        ("<think> a van, two bicycles and a plane </think> <answer> 4 </answer>", _ROW),
        ("<answer>\n4\n</answer>", _ROW.model_copy(update={"solution": "<answer> 4 </answer>"})),
    ),
    hacks=(
        ("4", _ROW),
        ("<answer> 5 </answer>", _ROW),
        ("<answer> 3 or 4 or 5 </answer>", _ROW),
        ("<answer> 3 </answer> <answer> 4 </answer>", _ROW),
        ("<answer> 44 </answer>", _ROW),
        ("<answer> many </answer>", _ROW),
        ("<answer> 4", _ROW),
        ("<think> <answer> 4 </answer>", _ROW),
        ("", _ROW),
    ),
    probes={"no_count": no_count},
    counterfactuals=replace(OF_KIND["number"], ends_on=ends_on),
)
