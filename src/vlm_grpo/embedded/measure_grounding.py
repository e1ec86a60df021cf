"""Measure the embedded finder on validation rows of `tiny_grounding`, of all its tasks and of each."""

from pathlib import Path
from statistics import mean

from vlm_grpo.embedded.grounding_curriculum import MEASURING_START
from vlm_grpo.embedded.grounding_questions import KINDS, VIEW, as_row, asks
from vlm_grpo.embedded.grounding_scenes import render
from vlm_grpo.embedded.measure import WAYS, Figures, MeasuredRow, completions
from vlm_grpo.embedded.tiny_grounding import draw_split
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.rules import Rule
from vlm_grpo.tasks.registry import task_of

ROWS = 360
LONGEST = 96
"""Tokens of a completion; three shapes listed, with the thought on them, are 87."""


def measure(folder: Path, *, seed: int, rows: int = ROWS, ways: tuple[str, ...] = tuple(WAYS)) -> Figures:
    """Fractions of `rows` of validation, a third of each task, for each of `ways`, and for each task.

    `credit` is what the task pays on average (IoU of boxes and masks, AP50 of lists), `accuracy` the share that it
    counts as right (an IoU from .5, all boxes of a list), `parse_rate` readable answers, `reasoned` the share that
    measures, `reasoned_and_right` the share that measures and is right.
    """
    drawn = [
        (as_row(item.name, kind, item.asked), item.scene)
        for kind in KINDS
        for item in draw_split("validation", max(1, rows // len(KINDS)), kind=kind, seed=seed)
    ]
    asked = [MeasuredRow(row.problem, asks(row), render(scene)) for row, scene in drawn]
    figures = {}
    for name, texts in completions(folder, asked, ways, start=MEASURING_START, seed=seed, longest=LONGEST):
        scored = [(row, text) for (row, _), text in zip(drawn, texts, strict=True)]
        figures[name] = _scores(scored, is_bare=name == "bare")
        for kind in KINDS:
            of_kind = [(row, text) for row, text in scored if row.task == kind]
            figures[f"{name}, {kind}"] = _scores(of_kind, is_bare=name == "bare")
    return figures


def _scores(scored: list[tuple[Row, str]], *, is_bare: bool) -> dict[str, float]:
    rule: Rule = "bare" if is_bare else "strict"
    outcomes = [task_of(row).outcome(text, row, rule=rule, view=VIEW) for row, text in scored]
    reasoned = [MEASURING_START in text for _, text in scored]
    return {
        "rows": len(scored),
        "credit": mean(outcome.credit for outcome in outcomes),
        "accuracy": mean(outcome.right for outcome in outcomes),
        "parse_rate": mean(outcome.said is not None for outcome in outcomes),
        "reasoned": mean(reasoned),
        "reasoned_and_right": mean(r and o.right for r, o in zip(reasoned, outcomes, strict=True)),
    }
