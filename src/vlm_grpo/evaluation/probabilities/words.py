"""Where the answer of a completion begins, and with which tokens each of the few values that it can have begins there.

A value's words are those that its kind of answer reads as it (`AnswerKind.write` and `spellings`), with a space before
them or none. `write` counts by its first token behind what all values begin with; another spelling only where it is one
token, so that no fragment which other words begin with as well passes for an answer. A token that begins several values
counts for none.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.rules import Rule, is_relaxed
from vlm_grpo.tasks.blocks import OPEN, is_thinking
from vlm_grpo.tasks.registry import task_of

Place = Literal["stated", "first"]
NOT_FEW = "answers of its kind are not a few words"
NOT_OPENED = "the completion opens no answer, or several"
NOT_TOLD_APART = "several answers begin with one token"


@dataclass(frozen=True, slots=True)
class AnswerWords:
    """`before` is what the completion says before the token that begins its answer; `tokens` are the ids that begin
    each of `values`, and no other's."""

    before: str
    values: tuple[Any, ...]
    tokens: tuple[tuple[int, ...], ...]


def answer_words(
    row: Row,
    text: str,
    *,
    rule: Rule,
    place: Place,
    encode: Callable[[str], list[int]],
    decode: Callable[[list[int]], str],
) -> AnswerWords | str:
    """The words that the answer to `row` can begin with in its completion `text`; a text says why there are none.

    `stated` is behind the completion's `<answer>`, or where it starts under a `bare` rule; `first` is where it starts
    under any. `encode` and `decode` are the tokenizer's, without special tokens.
    """
    task = task_of(row)
    kind, values = task.answer(row), task.counterfactuals_of(row).options(row)
    if len(values) < 2:
        return NOT_FEW
    start = 0 if place == "first" or rule.startswith("bare") else _opened(text)
    if start is None:
        return NOT_OPENED
    lead = text[start : len(text) - len(text[start:].lstrip())]
    written = [encode(text[:start] + lead + kind.write(value)) for value in values]
    shared = 0
    while all(len(ids) > shared for ids in written) and len({ids[shared] for ids in written}) == 1:
        shared += 1
    if any(len(ids) == shared for ids in written):
        return NOT_TOLD_APART
    begins = [
        {ids[shared], *_whole(kind.spellings(value, is_relaxed(rule)), encode)}
        for value, ids in zip(values, written, strict=True)
    ]
    own = [
        tokens - {other for place, others in enumerate(begins) if place != number for other in others}
        for number, tokens in enumerate(begins)
    ]
    if not all(own):
        return NOT_TOLD_APART
    return AnswerWords(decode(written[0][:shared]), values, tuple(tuple(sorted(tokens)) for tokens in own))


def _opened(text: str) -> int | None:
    """Where the answer of `text` opens, behind the one `<answer>` that is no thought."""
    start = text.find(OPEN)
    return None if text.count(OPEN) != 1 or is_thinking(text, at=start) else start + len(OPEN)


def _whole(spellings: tuple[str, ...], encode: Callable[[str], list[int]]) -> set[int]:
    """The tokens that are one of `spellings`, with a space before it or none."""
    pieces = (encode(lead + spelling) for spelling in spellings for lead in ("", " "))
    return {ids[0] for ids in pieces if len(ids) == 1}
