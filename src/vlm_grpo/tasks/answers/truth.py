"""True or False, or Yes or No. Relaxed: all four, and a sentence around the word, unless it negates or says both."""

import re
from collections.abc import Mapping
from itertools import pairwise

from vlm_grpo.prompts import TRUE_FALSE
from vlm_grpo.tasks.answers.base import AnswerKind

_STRICT = {"true": True, "false": False}
_YES_NO = {"yes": True, "no": False}
_RELAXED = {**_STRICT, **_YES_NO}
_APOSTROPHES = "'’ʼ‘`´′＇‛ʹ"
_WORD = re.compile(rf"[^\W\d_]+(?:[{_APOSTROPHES}][^\W\d_]+)?")
_NEGATIONS = frozenset(
    (
        *("not", "non", "none", "never", "neither", "nor", "cannot", "nothing", "nowhere", "without"),
        *("hardly", "barely", "scarcely"),
    )
)
_CONTRACTED = frozenset(
    f"{verb}nt"
    for verb in (
        *("is", "are", "was", "were", "ai", "do", "does", "did", "has", "have", "had", "ca", "could", "wo", "would"),
        *("sha", "should", "must", "might", "may", "need", "dare", "ought", ""),
    )
)
"""Written together, whatever sign or space stands before the t; the last is the `n't` of tokenized text."""


def parse(text: str, relaxed: bool) -> bool | None:
    """The truth value that `text` states; None when it states none or both, or negates one."""
    return _read(text, _RELAXED if relaxed else _STRICT, relaxed=relaxed)


def parse_yes_no(text: str, relaxed: bool) -> bool | None:
    """True where `text` says Yes, False for No; None as in `parse`."""
    return _read(text, _RELAXED if relaxed else _YES_NO, relaxed=relaxed)


def _read(text: str, known: Mapping[str, bool], *, relaxed: bool) -> bool | None:
    words = [re.sub(f"[{_APOSTROPHES}]", "", word) for word in _WORD.findall(text.casefold())]
    if not relaxed:
        return known.get(words[0]) if len(words) == 1 else None
    if any(word in _NEGATIONS or word in _CONTRACTED for word in words):
        return None
    if any(last == "t" and word + last in _CONTRACTED for word, last in pairwise(words)):
        return None
    values = {known[word] for word in words if word in known}
    return values.pop() if len(values) == 1 else None


def _spelled(value: bool, known: Mapping[str, bool]) -> tuple[str, ...]:
    words = (word for word, means in known.items() if means is value)
    return tuple(spelling for word in words for spelling in (word.capitalize(), word, word.upper()))


TRUTH = AnswerKind(
    name="truth",
    asks=TRUE_FALSE,
    refused="neither True nor False",
    parse=parse,
    spellings=lambda value, relaxed: _spelled(value, _RELAXED if relaxed else _STRICT),
)
YES_NO = AnswerKind(
    name="yes_no",
    asks="Yes or No",
    refused="neither Yes nor No",
    parse=parse_yes_no,
    write=lambda is_so: "Yes" if is_so else "No",
    spellings=lambda value, relaxed: _spelled(value, _RELAXED if relaxed else _YES_NO),
)
