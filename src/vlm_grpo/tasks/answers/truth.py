"""True or False. Relaxed: also Yes or No, and a sentence around the word, unless it negates or says both."""

import re

from vlm_grpo.prompts import TRUE_FALSE
from vlm_grpo.tasks.answers.base import AnswerKind

_STRICT = {"true": True, "false": False}
_RELAXED = {**_STRICT, "yes": True, "no": False}
_APOSTROPHES = "'’ʼ‘`´′＇"
_WORD = re.compile(rf"[^\W\d_]+(?:[{_APOSTROPHES}][^\W\d_]+)?")
_NEGATIONS = frozenset(("not", "never", "neither", "nor", "cannot", "hardly", "nothing", "nowhere", "without"))
_CONTRACTED = frozenset(
    f"{verb}nt"
    for verb in (
        *("is", "are", "was", "were", "ai", "do", "does", "did", "has", "have", "had", "ca", "could", "wo", "would"),
        *("sha", "should", "must", "might", "may", "need", "dare", "ought"),
    )
)


def parse(text: str, relaxed: bool) -> bool | None:
    """The truth value that `text` states; None when it states none or both, or negates one."""
    words = [re.sub(f"[{_APOSTROPHES}]", "", word) for word in _WORD.findall(text.casefold())]
    if not relaxed:
        return _STRICT.get(words[0]) if len(words) == 1 else None
    if any(word in _NEGATIONS or word in _CONTRACTED for word in words):
        return None
    values = {_RELAXED[word] for word in words if word in _RELAXED}
    return values.pop() if len(values) == 1 else None


TRUTH = AnswerKind(name="truth", asks=TRUE_FALSE, refused="neither True nor False", parse=parse)
