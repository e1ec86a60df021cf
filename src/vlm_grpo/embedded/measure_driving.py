"""Measure the embedded driver on validation rows of `synthetic_driving`."""

from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from PIL.Image import Image

from vlm_grpo.embedded.driving_questions import VIEW, as_row
from vlm_grpo.embedded.driving_scenes import render
from vlm_grpo.embedded.measure import Figures, MeasuredRow, completions
from vlm_grpo.embedded.synthetic_driving import draw_split
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.base import in_frame
from vlm_grpo.tasks.synthetic_driving import TASK

LOOKING_START = "<think> (A)"
ROWS = 344
LONGEST = 96
"""Tokens of a completion: four options looked up take 76."""
WAYS = ("greedy", "sampled", "reasoning")


def measure(folder: Path, *, seed: int, rows: int = ROWS, ways: tuple[str, ...] = WAYS) -> Figures:
    """Fractions of `rows` of validation for each of `ways`.

    `accuracy` is the share of rows whose letters are all right, `parse_rate` readable answers, `box_iou` and
    `box_recall` those of the task, `reasoned` the share that looks, `reasoned_and_right` the share that looks and is
    right.
    """
    questions = draw_split("validation", rows, seed=seed)
    its = [as_row(f"validation/{at:05d}", question) for at, question in enumerate(questions)]
    asked = [_as_asked(row, render(question.scene)) for row, question in zip(its, questions, strict=True)]
    said = completions(folder, asked, ways, start=LOOKING_START, seed=seed, longest=LONGEST)
    return {name: _scores(list(zip(its, texts, strict=True))) for name, texts in said}


def _as_asked(row: Row, picture: Image) -> MeasuredRow:
    return MeasuredRow(row.problem + in_frame(TASK.manner(row), VIEW), TASK.answer(row).asks_in(VIEW), picture)


def _scores(scored: Sequence[tuple[Row, str]]) -> dict[str, float]:
    outcomes = [TASK.outcome(text, row, rule="strict", view=VIEW) for row, text in scored]
    looked = [LOOKING_START in text for _, text in scored]
    figures = TASK.figures(outcomes)
    return {
        "rows": len(scored),
        "accuracy": mean(outcome.right for outcome in outcomes),
        "parse_rate": mean(outcome.said is not None for outcome in outcomes),
        "box_iou": figures["box_iou"] or 0.0,
        "box_recall": figures["box_recall"],
        "reasoned": mean(looked),
        "reasoned_and_right": mean(looks and o.right for looks, o in zip(looked, outcomes, strict=True)),
    }
