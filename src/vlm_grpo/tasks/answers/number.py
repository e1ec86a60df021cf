"""A number, whole or decimal, and a list of them.

Strict: the number alone (`18`), the list in square brackets or bare (`[3, 7, 8]`, `3, 7, 8`). Relaxed: a sentence
around one number, a number word up to twenty, what stands behind the last `=` of an equation; for a list every number
of the last brackets, or of the text where there are none.
"""

import re

from vlm_grpo.tasks.answers.base import AnswerKind

Number = int | float

_NUMBER = r"[+-]?(?:\d{1,18}(?:\.\d{1,18})?|\.\d{1,18})"
"""Longer ones are no answers, and would be no JSON numbers either."""
_ALONE = re.compile(rf"[*`$\s]*({_NUMBER})[*`$\s]*\.?[*`\s]*")
_INSIDE = re.compile(rf"(?<![\w.])(?<!\d[eE][+-]){_NUMBER}(?!\w|\.\d)")
_MINUS = re.compile(r"\b(?:minus|negative)\s+(?=[\d.])|(?<!\w)[−–](?=[\d.])", re.IGNORECASE)
_GROUPED = re.compile(r"(?<=\d),(?=\d{3}\b)")
_LIST = re.compile(rf"\s*\[?\s*({_NUMBER}(?:\s*,\s*{_NUMBER})*)?\s*\]?\s*\.?\s*")
_COUNTED = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
_WORDS = {word: value for value, word in enumerate(_COUNTED)}
_WORD = re.compile(r"(?<![\w-])[a-z]+(?![\w-])")
_COMPOUND = re.compile(r"\b(?:dozen|hundred|thousand|million|billion|trillion)s?\b|\b(?:minus|negative)\s+[a-z]")
"""What makes another number of the one beside it; such numbers are not read."""


def to_number(text: str) -> Number:
    """The int that `text` writes, or the float where it has a fraction."""
    if "." not in text:
        return int(text)
    value = float(text)
    return int(value) if value.is_integer() else value


def parse(text: str, relaxed: bool) -> Number | None:
    """The one number that `text` states."""
    if not relaxed:
        match = _ALONE.fullmatch(text)
        return to_number(match[1]) if match else None
    values = set(_numbers(text.rpartition("=")[2]))
    return values.pop() if len(values) == 1 else None


def _numbers(text: str) -> list[Number]:
    """The numbers of `text`: digits, or number words where it has no digits."""
    if _COMPOUND.search(text.casefold()):
        return []
    digits = [to_number(written) for written in _INSIDE.findall(_GROUPED.sub("", _MINUS.sub("-", text)))]
    return digits or [_WORDS[word] for word in _WORD.findall(text.casefold()) if word in _WORDS]


def parse_list(text: str, relaxed: bool) -> list[Number] | None:
    """The numbers that `text` lists, in its order; None where it lists none, or strictly nothing else."""
    if not relaxed:
        match = _LIST.fullmatch(text)
        whole = match is not None and ("[" in text) == ("]" in text) and bool(text.strip())
        return [to_number(written) for written in re.findall(_NUMBER, text)] if whole else None
    start, end = text.rfind("["), text.rfind("]")
    if 0 <= start < end:
        return [to_number(written) for written in _INSIDE.findall(text[start + 1 : end])]
    return _numbers(text.rpartition("=")[2]) or None


def write_list(values: list[Number]) -> str:
    """`[3, 7, 8]`."""
    return f"[{', '.join(map(str, values))}]"


NUMBER = AnswerKind(name="number", asks="a whole number", refused="no number", parse=parse)
NUMBERS = AnswerKind(
    name="numbers",
    asks="a list of whole numbers in square brackets",
    refused="no list of numbers",
    parse=parse_list,
    write=write_list,
)
