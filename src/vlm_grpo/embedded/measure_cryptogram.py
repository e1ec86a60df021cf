"""Measure the embedded decoder on validation rows of `tiny_cryptogram`."""

from pathlib import Path

from vlm_grpo.embedded.cipher_scenes import render
from vlm_grpo.embedded.cryptogram_curriculum import REASONING_START
from vlm_grpo.embedded.measure import WAYS, Figures, MeasuredRow, completions
from vlm_grpo.embedded.tiny_cryptogram import DEFAULT_ROWS, as_row, draw_split
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.cryptogram.decoding import chars_block
from vlm_grpo.tasks.cryptogram.questions import ASKS
from vlm_grpo.tasks.cryptogram.task import MESSAGE

MAX_NEW_TOKENS = 64


def measure(
    folder: Path, *, seed: int, rows: int = DEFAULT_ROWS["validation"], ways: tuple[str, ...] = tuple(WAYS)
) -> Figures:
    """Fractions of `rows` of validation for each of `ways`.

    `accuracy` is right answers, `parse_rate` readable ones, `reasoned` the share that reasons, `copied` the share whose
    `<chars>` are the code, `reasoned_and_right` the share that reasons and is right.
    """
    items = [(item, as_row(item)) for item in draw_split("validation", rows, seed=seed)]
    asked = [MeasuredRow(row.problem, ASKS["sequence"], render(item.scene)) for item, row in items]
    start = f"<think> {REASONING_START}"
    said = completions(folder, asked, ways, start=start, seed=seed, longest=MAX_NEW_TOKENS)
    its = [row for _, row in items]
    return {name: _scores(texts, its, start=start, is_bare=name == "bare") for name, texts in said}


def _scores(texts: list[str], rows: list[Row], *, start: str, is_bare: bool) -> dict[str, float]:
    answers = [MESSAGE.read(text, "bare" if is_bare else "strict") for text in texts]
    right = [answer == row.solution for answer, row in zip(answers, rows, strict=True)]
    reasoned = [start in text for text in texts]
    copied = [chars_block(text) == row.meta["code"] for text, row in zip(texts, rows, strict=True)]
    return {
        "rows": len(rows),
        "accuracy": sum(right) / len(rows),
        "parse_rate": sum(answer is not None for answer in answers) / len(rows),
        "reasoned": sum(reasoned) / len(rows),
        "copied": sum(copied) / len(rows),
        "reasoned_and_right": sum(r and ok for r, ok in zip(reasoned, right, strict=True)) / len(rows),
    }
