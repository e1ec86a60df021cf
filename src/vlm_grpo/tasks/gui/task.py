"""The task `gui`: which defect do two screenshots show, before and after an action? (VLM-R1's `all_match`)

An answer is the name of a defect or "No Defect", whole, without regard to case, spaces and a final period. A share of
right answers says little where few names occur: the figures have what one constant answer would get, the mean share of
right answers over the names that occur (`balanced`), and those that never do.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers import text as free_text
from vlm_grpo.tasks.answers.base import AnswerKind
from vlm_grpo.tasks.base import Column, Outcome, Task, always
from vlm_grpo.tasks.blocks import answer_block
from vlm_grpo.tasks.gui.questions import CLASSES, NAME, problem

MARKER = "<image>"


def parse(text: str, relaxed: bool) -> str | None:
    """The name that `text` is; None where it is none of them."""
    said = free_text.parse(text, relaxed)
    return next((name for name in CLASSES if said is not None and free_text.same(said, name)), None)


DEFECT = AnswerKind(
    name="defect",
    asks="the name of the defect or No Defect",
    refused=f"none of {', '.join(CLASSES)}",
    parse=parse,
)


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """`constant`, `constant_answer`, `balanced`, `absent` and `confusion` (truth -> answer -> rows; "" for none)."""
    truths = Counter(outcome.truth for outcome in outcomes)
    right = Counter(outcome.truth for outcome in outcomes if outcome.right)
    constant, most = truths.most_common(1)[0] if truths else (None, 0)
    return {
        "constant": most / truths.total() if truths else None,
        "constant_answer": constant,
        "balanced": sum(right[name] / count for name, count in truths.items()) / len(truths) if truths else None,
        "absent": [name for name in CLASSES if name not in truths],
        "confusion": {
            name: dict(Counter(outcome.said or "" for outcome in outcomes if outcome.truth == name))
            for name in CLASSES
            if name in truths
        },
    }


def notes(scores: Mapping[str, Any]) -> tuple[str, ...]:
    """What to read beside the accuracy: the constant answer's, and the names that no row has."""
    if scores["constant"] is None:
        return ()
    told = f'always answering "{scores["constant_answer"]}" gets {scores["constant"]:.1%}'
    absent = scores["absent"]
    if absent:
        told += f"; no row has {' or '.join(absent)}, so whether it is told from them is not measured"
    return (told,)


def no_name(completion: str, row: Row) -> bool:
    """Whether it answers something else than one of the names."""
    stated = answer_block(completion)
    return stated is not None and parse(stated, relaxed=True) is None


_ROW = Row(
    id="example",
    images=("images/before.png", "images/after.png"),
    problem=problem("click on the toggle"),
    solution="Operation No Response",
    task=NAME,
)
_NONE = _ROW.model_copy(update={"id": "example-none", "solution": "No Defect"})

TASK = Task(
    name=NAME,
    answer=always(DEFECT),
    marker=MARKER,
    figures=figures,
    columns=(Column("a constant", "constant"), Column("balanced", "balanced")),
    notes=notes,
    slices={"verbs": "verb", "sources": "source"},
    published="VLM-R1 says that its GUI model is better than the base and than SFT, without numbers",
    gold=(
        ("<think> the toggle stays off </think> <answer> Operation No Response </answer>", _ROW),
        ("<answer>\noperation  no response.\n</answer>", _ROW),
        ("<answer> No Defect </answer>", _NONE),
    ),
    hacks=(
        ("Operation No Response", _ROW),
        ("<answer> Operation No Response or Unexpected Task Result </answer>", _ROW),
        ("<answer> Operation No Response, No Defect </answer>", _ROW),
        ("<answer> No Response </answer>", _ROW),
        ("<answer> Unexpected Task Result </answer>", _ROW),
        ("<answer> No Operation No Response </answer>", _ROW),
        ("<answer> No Defect </answer> <answer> Operation No Response </answer>", _ROW),
        ("<think> <answer> Operation No Response </answer>", _ROW),
        ("<answer> Operation No Response </answer>", _NONE),
        ("<answer> none </answer>", _NONE),
        ("", _NONE),
    ),
    probes={"no_name": no_name},
)
