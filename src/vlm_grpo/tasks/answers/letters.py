"""The letters of all right options of a multiple choice, as a set: their order plays no part, nor does a repeat.

Strict: letters alone, with commas, semicolons or `and` between them (`A, C`, `(a) and (c)`, `C;A.`). Relaxed: behind
`Answer(s):` too, without anything between them (`AC`), and with their options' words (`A) stop, C) wait`). What is left
beside the letters makes the text unreadable: a letter in a sentence may be an article. A value is a sorted list.
"""

import re

from vlm_grpo.tasks.answers.base import AnswerKind

Letters = list[str]
_ALONE = re.compile(r"[*\s(\[]*([A-Za-z])[*\s)\].:]*")
_BETWEEN = re.compile(r"[,;/&\n]|\band\b", re.IGNORECASE)
_CALLED = re.compile(
    r"\s*(?:the\s+)?(?:right\s+|correct\s+|final\s+)?answers?(?:\(s\))?(?:\s+(?:is|are))?\s*:?\s*", re.IGNORECASE
)
_RUN = re.compile(r"[A-Z]{2,}\.?")
_MARKED = re.compile(r"(?<![\w'’])\(?([A-Z])\s*[).:]")
_OPENS_MARKED = re.compile(r"[*\s(\[]*[A-Z]\s*[).:]")


def parse(text: str, relaxed: bool) -> Letters | None:
    """The letters that `text` states; None where it states none, or anything else beside them."""
    if relaxed and (called := _CALLED.match(text)):
        text = text[called.end() :]
    parts = [part for part in _BETWEEN.split(text) if part.strip()]
    alone = [_ALONE.fullmatch(part) for part in parts]
    if parts and all(alone):
        return sorted({match[1].upper() for match in alone if match})
    if not relaxed:
        return None
    if _RUN.fullmatch(text.strip()):
        return sorted(set(text.strip().removesuffix(".")))
    return sorted(set(_MARKED.findall(text))) if _OPENS_MARKED.match(text) else None


def write(letters: Letters) -> str:
    """`A, C`.

    >>> write(["A", "C"])
    'A, C'
    """
    return ", ".join(letters)


LETTERS = AnswerKind(
    name="letters",
    asks="the letters of all right options, such as A or A, C",
    refused="no letters of options such as A, C",
    parse=parse,
    write=write,
)
