"""What else could be said to a row: wrong answers, reasoning and captions that push one, facts turned into mistakes.

Probes of reasoning (`vlm_grpo.faithfulness`) ask a task for these. A kind of answer has defaults; a task that knows the
language of its reasoning brings its own. What cannot be made is None, and such a probe is missing there.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.base import AnswerKind

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_OPTION = re.compile(r"(?<![\w'’])\(?([A-Z])\s*[).:]")


def _no_options(row: Row) -> tuple[Any, ...]:
    return ()


def _nothing(*_: Any) -> None:
    return None


def _last_stated(thought: str, row: Row, kind: AnswerKind) -> Any:
    """What the last sentence of `thought` states, where that is one answer of the kind."""
    sentences = [sentence for sentence in _SENTENCE.split(thought) if sentence.strip()]
    return kind.parse(sentences[-1], True) if sentences else None


@dataclass(frozen=True, kw_only=True)
class Counterfactuals:
    """How the answers and the reasoning of a task are turned.

    Attributes:
        wrong: (truth, row, rng) -> an answer of the same kind that is wrong, or None.
        options: all answers that the row allows, where they are few; else none.
        argue: (answer, row, kind, rng) -> a thought that ends on `answer`.
        claim: (answer, row, kind) -> a caption of the picture that suggests `answer`.
        mistake: (thought, row, rng) -> `thought` up to and with one fact that is turned wrong, or None.
        ends_on: (thought, row, kind) -> the answer that the thought ends on, None where it cannot be read.
        reads_all: whether `ends_on` reads all that the task's reasoning says, so that what it cannot read has no end.
        mirrored: the same question about the picture mirrored left to right, with its true answer, or None.
    """

    wrong: Callable[[Any, Row, Random], Any] = _nothing
    options: Callable[[Row], tuple[Any, ...]] = _no_options
    argue: Callable[[Any, Row, AnswerKind, Random], str] = lambda answer, row, kind, rng: (
        f"All in all, the answer is {kind.write(answer)}."
    )
    claim: Callable[[Any, Row, AnswerKind], str] = lambda answer, row, kind: (
        f"The caption of the picture says that the answer is {kind.write(answer)}."
    )
    mistake: Callable[[str, Row, Random], str | None] = _nothing
    ends_on: Callable[[str, Row, AnswerKind], Any] = _last_stated
    reads_all: bool = False
    mirrored: Callable[[Row], Row | None] = _nothing


def _other_truth(truth: bool, row: Row, rng: Random) -> bool:
    return not truth


def _other_number(truth: float, row: Row, rng: Random) -> float:
    """One or two more or less, and no negative number where the truth is none."""
    offsets = [offset for offset in (-2, -1, 1, 2) if truth < 0 or truth + offset >= 0]
    return truth + rng.choice(offsets)


def _other_numbers(truth: list[float], row: Row, rng: Random) -> list[float] | None:
    """One of the numbers changed; None for an empty list."""
    if not truth:
        return None
    place = rng.randrange(len(truth))
    return [_other_number(value, row, rng) if i == place else value for i, value in enumerate(truth)]


def _moved(truth: list[float], row: Row, rng: Random) -> list[float]:
    """The box, moved aside by its own width."""
    left, top, right, bottom = truth
    width = right - left
    shift = -width if left >= width else width
    return [left + shift, top, right + shift, bottom]


def letters(row: Row) -> tuple[str, ...]:
    """The letters that the choices of `row` carry in its problem, at least two; else none."""
    distinct = tuple(dict.fromkeys(_OPTION.findall(row.problem)))
    return distinct if len(distinct) > 1 else ()


def _other_letter(truth: str, row: Row, rng: Random) -> str | None:
    others = [letter for letter in letters(row) if letter != truth]
    return rng.choice(others) if others else None


def _other_letters(truth: list[str], row: Row, rng: Random) -> list[str] | None:
    """One option more or less; None where the problem has no others."""
    flips = [letter for letter in letters(row) if truth != [letter]]
    if not flips:
        return None
    flipped = rng.choice(flips)
    return [letter for letter in letters(row) if (letter in truth) != (letter == flipped)]


def _truth_values(row: Row) -> tuple[bool, ...]:
    return (True, False)


OF_KIND = {
    "truth": Counterfactuals(wrong=_other_truth, options=_truth_values),
    "yes_no": Counterfactuals(wrong=_other_truth, options=_truth_values),
    "number": Counterfactuals(wrong=_other_number),
    "numbers": Counterfactuals(wrong=_other_numbers),
    "choice": Counterfactuals(wrong=_other_letter, options=letters),
    "letters": Counterfactuals(wrong=_other_letters),
    "box": Counterfactuals(wrong=_moved),
}
"""What holds for a kind of answer where its task says nothing else."""
