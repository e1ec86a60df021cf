"""Measure the embedded finder on validation rows of `tiny_grounding`, whole and by task."""

from pathlib import Path
from statistics import mean

from vlm_grpo.embedded.grounding_curriculum import MEASURING_START
from vlm_grpo.embedded.grounding_questions import TAUGHT, VIEW, as_row, asks
from vlm_grpo.embedded.grounding_scenes import render
from vlm_grpo.embedded.measure import WAYS, Figures, MeasuredRow, completions
from vlm_grpo.embedded.tiny_grounding import draw_split
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.rules import Rule
from vlm_grpo.tasks.registry import task_of

ROWS = 360
MAX_NEW_TOKENS = 112


def measure(folder: Path, *, seed: int, rows: int = ROWS, ways: tuple[str, ...] = tuple(WAYS)) -> Figures:
    """Fractions of `rows` of validation, as many of each task, for each of `ways`, and for each task.

    `credit` is the mean of what the tasks give (IoU of a box or a mask, average precision of a list), `accuracy` the
    share that counts as right, `parse_rate` readable answers, `reasoned` the share that measures, `reasoned_and_right`
    the share that measures and is right.
    """
    each = rows // len(TAUGHT)
    items = [(kind, item) for kind in TAUGHT for item in draw_split("validation", each, kind=kind, seed=seed)]
    asked = [(as_row(item.name, kind, item.asked), render(item.scene)) for kind, item in items]
    questions = [MeasuredRow(row.problem, asks(row), picture) for row, picture in asked]
    its = [row for row, _ in asked]
    figures: Figures = {}
    said = completions(folder, questions, ways, start=MEASURING_START, seed=seed, longest=MAX_NEW_TOKENS)
    for name, texts in said:
        scored = list(zip(its, texts, strict=True))
        figures[name] = _scores(scored, is_bare=name == "bare")
        for kind in TAUGHT:
            of_kind = [one for one in scored if one[0].task == kind]
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
