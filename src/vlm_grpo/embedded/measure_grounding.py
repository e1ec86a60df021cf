"""Measure the embedded finder on validation rows of the task `rec` of `tiny_grounding`."""

from pathlib import Path
from statistics import mean

from vlm_grpo.embedded.grounding_curriculum import MEASURING_START
from vlm_grpo.embedded.grounding_questions import VIEW, as_row, asks
from vlm_grpo.embedded.grounding_scenes import render
from vlm_grpo.embedded.measure import WAYS, Figures, MeasuredRow, completions
from vlm_grpo.embedded.tiny_grounding import draw_split
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.rules import Rule
from vlm_grpo.tasks.rec.task import TASK

ROWS = 344


def measure(folder: Path, *, seed: int, rows: int = ROWS, ways: tuple[str, ...] = tuple(WAYS)) -> Figures:
    """Fractions of `rows` of validation for each of `ways`.

    `iou` is the mean IoU, `accuracy` the share of boxes from .5, `parse_rate` readable answers, `reasoned` the share
    that measures, `reasoned_and_right` the share that measures and is right.
    """
    items = draw_split("validation", rows, kind="rec", seed=seed)
    its = [as_row(item.name, "rec", item.asked) for item in items]
    asked = [MeasuredRow(row.problem, asks(row), render(item.scene)) for row, item in zip(its, items, strict=True)]
    said = completions(folder, asked, ways, start=MEASURING_START, seed=seed)
    return {name: _scores(list(zip(its, texts, strict=True)), is_bare=name == "bare") for name, texts in said}


def _scores(scored: list[tuple[Row, str]], *, is_bare: bool) -> dict[str, float]:
    rule: Rule = "bare" if is_bare else "strict"
    outcomes = [TASK.outcome(text, row, rule=rule, view=VIEW) for row, text in scored]
    reasoned = [MEASURING_START in text for _, text in scored]
    return {
        "rows": len(scored),
        "iou": mean(outcome.credit for outcome in outcomes),
        "accuracy": mean(outcome.right for outcome in outcomes),
        "parse_rate": mean(outcome.said is not None for outcome in outcomes),
        "reasoned": mean(reasoned),
        "reasoned_and_right": mean(r and o.right for r, o in zip(reasoned, outcomes, strict=True)),
    }
