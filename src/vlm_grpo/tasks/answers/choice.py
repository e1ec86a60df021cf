"""One letter of a multiple choice.

Strict: the letter alone, perhaps in brackets or with a period (`B`, `(b)`, `B.`). Relaxed: a letter that opens the text
(`B) the red one`), is called the answer (`the answer is B`), or is the only capital that stands alone. `A` alone in a
sentence is an article, `I` a pronoun: they count only where they open the text with a mark or are called the answer.
"""

import re

from vlm_grpo.tasks.answers.base import AnswerKind

_ALONE = re.compile(r"[*\s(\[]*([A-Za-z])[*\s)\].:]*")
_OPENS = re.compile(r"[*\s(\[]*([A-Z])\s*[).:\]]")
_OTHER = r"\)?\s*(?:,|/|&|or\b|and\b)\s*\(?([B-HJ-Z])\b"
"""Another letter beside the one before: then none is chosen."""
_CALLED = re.compile(rf"\b(?:answer|option|choice)(?: is)?:?\s*\(?([A-Z])\b(?:{_OTHER})?", re.IGNORECASE)
_LISTED = re.compile(rf"\b([A-Z]){_OTHER}")
_CAPITAL = re.compile(r"(?<![\w'’])([B-HJ-Z])(?![\w'’])")


def parse(text: str, relaxed: bool) -> str | None:
    """The capital letter that `text` chooses; None where it chooses none, or several."""
    match = _ALONE.fullmatch(text)
    if match or not relaxed:
        return match[1].upper() if match else None
    called = {letter for letters in _CALLED.findall(text) for letter in letters if letter.isupper()}
    listed = {letter for letters in _LISTED.findall(text) for letter in letters}
    opening = _OPENS.match(text)
    letters = called or ({opening[1]} if opening else set(_CAPITAL.findall(text))) | listed
    return letters.pop() if len(letters) == 1 else None


CHOICE = AnswerKind(
    name="choice",
    asks="the letter of the right choice",
    refused="no letter of a choice",
    parse=parse,
    spellings=lambda letter, relaxed: (letter, f"({letter}"),
)
