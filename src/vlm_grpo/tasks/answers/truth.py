"""True or False. Relaxed: also Yes or No, and a sentence around the word, unless it negates or says both."""

import re
from itertools import pairwise

from vlm_grpo.prompts import TRUE_FALSE
from vlm_grpo.tasks.answers.base import AnswerKind

_STRICT = {"true": True, "false": False}
_RELAXED = {**_STRICT, "yes": True, "no": False}
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
    words = [re.sub(f"[{_APOSTROPHES}]", "", word) for word in _WORD.findall(text.casefold())]
    if not relaxed:
        return _STRICT.get(words[0]) if len(words) == 1 else None
    if any(word in _NEGATIONS or word in _CONTRACTED for word in words):
        return None
    if any(last == "t" and word + last in _CONTRACTED for word, last in pairwise(words)):
        return None
    values = {_RELAXED[word] for word in words if word in _RELAXED}
    return values.pop() if len(values) == 1 else None


TRUTH = AnswerKind(name="truth", asks=TRUE_FALSE, refused="neither True nor False", parse=parse)
