"""Measure the embedded reader of digits on validation rows of `digits`, whole and by question and number of digits."""

import re
from pathlib import Path

from vlm_grpo.embedded import digit_scenes
from vlm_grpo.embedded.measure import WAYS, Figures, MeasuredRow, completions
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.blocks import answer_block
from vlm_grpo.tasks.digits.build import DEFAULT_PICTURES, as_row, draw_split
from vlm_grpo.tasks.digits.questions import ASKS, QUESTIONS

ROWS = len(QUESTIONS) * DEFAULT_PICTURES["validation"]
REASONING_START = "<think> I see"
_READABLE = re.compile(r"\d+|\[\d+(?:, \d+)*\]")


def measure(folder: Path, *, seed: int, rows: int = ROWS, ways: tuple[str, ...] = tuple(WAYS)) -> Figures:
    """Fractions of `rows` (an even number) of digits validation for each of `ways`, and for each kind of row.

    `accuracy` is answers that are the solution word for word, `parse_rate` answers that are a number or a list,
    `reasoned` the share that reasons rather than guesses, `reasoned_and_right` the share that reasons and is right.
    """
    source = digit_scenes.source()
    items = draw_split("validation", rows // len(QUESTIONS), source, seed=seed)
    drawn = [(as_row(item, question, source), item.picture(source)) for item in items for question in QUESTIONS]
    asked = [MeasuredRow(row.problem, ASKS[row.meta["question"]], picture) for row, picture in drawn]
    figures = {}
    for name, texts in completions(folder, asked, ways, start=REASONING_START, seed=seed):
        answers = texts if name == "bare" else [answer_block(text) for text in texts]
        scored = [(row, answer, text) for (row, _), answer, text in zip(drawn, answers, texts, strict=True)]
        figures[name] = _scores(scored)
        for kind in sorted({_kind(row) for row, _ in drawn}):
            figures[f"{name}, {kind}"] = _scores([one for one in scored if _kind(one[0]) == kind])
    return figures


def _kind(row: Row) -> str:
    return f"{row.meta['question']} of {row.meta['count']}"


def _scores(scored: list[tuple[Row, str | None, str]]) -> dict[str, float]:
    right = [answer == row.solution for row, answer, _ in scored]
    reasoned = [REASONING_START in text for _, _, text in scored]
    return {
        "rows": len(scored),
        "accuracy": sum(right) / len(scored),
        "parse_rate": sum(answer is not None and bool(_READABLE.fullmatch(answer)) for _, answer, _ in scored)
        / len(scored),
        "reasoned": sum(reasoned) / len(scored),
        "reasoned_and_right": sum(r and ok for r, ok in zip(reasoned, right, strict=True)) / len(scored),
    }
