"""THE extractor of answers, used by rewards, evaluation and the judge alike.

A rule names how a completion is read:

    strict    True/False inside the one `<answer>` block
    relaxed   also Yes/No, and a sentence around the word, inside the one `<answer>` block
    bare      the whole text is the answer, True/False (models trained to answer without tags)
    bare_relaxed   the whole text, also Yes/No

A text that says both, negates the word, or has no single `<answer>` block is unparsed (`None`): missing, not wrong.
"""

import re
from typing import Literal, get_args

from vlm_grpo.errors import UserError

Rule = Literal["strict", "relaxed", "bare", "bare_relaxed"]
RULES: tuple[str, ...] = get_args(Rule)

_OPEN, _CLOSE = "<answer>", "</answer>"
_STRICT = {"true": True, "false": False}
_RELAXED = {**_STRICT, "yes": True, "no": False}
_NEGATIONS = {"not", "isn't", "doesn't", "cannot", "can't", "never", "neither", "nor"}


def answer_block(text: str) -> str | None:
    """The stripped content of the one `<answer>` block of `text`; None when there is none, or more than one."""
    if text.count(_OPEN) != 1 or text.count(_CLOSE) != 1:
        return None
    start, end = text.index(_OPEN) + len(_OPEN), text.index(_CLOSE)
    return text[start:end].strip() if start <= end else None


def extract_answer(text: str, rule: Rule = "strict") -> bool | None:
    """Read the truth value that `text` states under `rule`; None when it states none or both.

    >>> extract_answer("<think> left of it </think> <answer> True </answer>")
    True
    >>> extract_answer("<answer> Yes. </answer>") is None
    True
    >>> extract_answer("<answer> Yes. </answer>", "relaxed")
    True
    """
    if rule not in RULES:
        raise UserError(f"unknown answer rule {rule!r}; known: {', '.join(RULES)}")
    stated = text if rule.startswith("bare") else answer_block(text)
    if stated is None:
        return None
    words = re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)?", stated.casefold())
    if not rule.endswith("relaxed"):
        return _STRICT.get(words[0]) if len(words) == 1 else None
    if any(word.replace("’", "'") in _NEGATIONS for word in words):
        return None
    values = {_RELAXED[word] for word in words if word in _RELAXED}
    return values.pop() if len(values) == 1 else None


def solution_value(solution: str, *, where: str) -> bool:
    """The truth value of a data set's `solution` (tagged or bare True/False, Yes/No); `where` opens the error."""
    value = extract_answer(solution, "relaxed" if _OPEN in solution else "bare_relaxed")
    if value is None:
        raise UserError(f"{where}: solution {solution!r} is neither True nor False; mend the row or drop it")
    return value
