"""The task `vsr`: is a statement about a picture true? (reference, section 1.2)"""

from collections.abc import Sequence
from typing import Any

from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.base import AnswerKind
from vlm_grpo.tasks.answers.truth import TRUTH
from vlm_grpo.tasks.base import Column, Outcome, Task, always, bare, tagged
from vlm_grpo.tasks.blocks import answer_block
from vlm_grpo.tasks.vsr.columns import NAME

QUESTION = "Is the following statement true: The cat is left of the dog."


def yes_no(truth: bool, kind: AnswerKind) -> str:
    """Yes or No, as the study taught SmolVLM."""
    return "Yes." if truth else "No."


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Confusion counts and what follows from them.

    Weighted precision, recall and F1 count "unparsed" as a third predicted class, as the study did: weighted recall is
    the accuracy.
    """
    from sklearn.metrics import precision_recall_fscore_support  # takes a second to import

    pairs = [(outcome.truth, outcome.said) for outcome in outcomes]
    precision, recall, f1, _ = precision_recall_fscore_support(
        [str(truth) for truth, _ in pairs],
        ["unparsed" if said is None else str(said) for _, said in pairs],
        average="weighted",
        zero_division=0,
    )
    return {
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "confusion": {
            "true_as_true": pairs.count((True, True)),
            "true_as_false": pairs.count((True, False)),
            "true_unparsed": pairs.count((True, None)),
            "false_as_true": pairs.count((False, True)),
            "false_as_false": pairs.count((False, False)),
            "false_unparsed": pairs.count((False, None)),
        },
        "predicted_true": sum(said is True for _, said in pairs),
        "predicted_false": sum(said is False for _, said in pairs),
    }


def undecided(completion: str, row: Row) -> bool:
    """Whether its answer says neither True nor False, or both."""
    return answer_block(completion) is not None and TRUTH.read(completion, "relaxed") is None


def _row(solution: str) -> Row:
    return Row(id="example", images=("images/cat.png",), problem=QUESTION, solution=solution, task=NAME)


TRUE, FALSE = _row("<answer> True </answer>"), _row("<answer> False </answer>")

TASK = Task(
    name=NAME,
    answer=always(TRUTH),
    wordings={"bare": bare, "yes_no": yes_no, "tagged": tagged},
    figures=figures,
    columns=(Column("F1", "f1"), Column("said True", "predicted_true", "d")),
    slices={"relations": "relation"},
    gold=(
        ("<think> It is left of it. </think> <answer> True </answer>", TRUE),
        ("<think>It is above it.</think><answer>false</answer>", FALSE),
        ("<answer> True </answer>", _row("Yes.")),
    ),
    hacks=(
        ("True", TRUE),
        ("<answer> True False </answer>", TRUE),
        ("<answer> True </answer> <answer> False </answer>", TRUE),
        ("<answer> False </answer> <answer> True </answer>", TRUE),
        ("<answer> not False </answer>", TRUE),
        ("<answer> it isnt False </answer>", TRUE),
        ("<answer> True", TRUE),
        ("</answer> True <answer>", TRUE),
        ("<answer></answer>", TRUE),
        ("<think> say <answer> True </answer>", TRUE),
        ("<think> a </think> <think> or <answer> True </answer> </think>", TRUE),
        ("", FALSE),
    ),
    probes={"undecided": undecided},
)
