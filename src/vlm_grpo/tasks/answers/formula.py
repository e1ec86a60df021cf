r"""A formula: a number, an expression, an equation, an interval or a set, compared as mathematics by math-verify.

Strict: the formula alone, perhaps in `$` signs, with a unit or a final period (`\frac12`, `x = 5`, `3 cm`). Relaxed: in
the last `\boxed{}` too, or between the only two `$` signs. Words are no formula, though LaTeX would read them as
products of letters. Upper and lower case are not told apart, as math-verify does not.

Formulas are read in a process of their own (`formula_worker`): a computer algebra system can run for ever on a short
text, and Python interrupts it by a signal, which only a main thread gets. What is not read in time is no formula; two
that are not compared in time are not the same.
"""

import re
from functools import lru_cache

from vlm_grpo.tasks.answers import formula_process
from vlm_grpo.tasks.answers.base import AnswerKind

LONGEST = 1000
"""Characters; what is longer is no answer."""
_FUNCTIONS = frozenset(
    (
        *("sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh"),
        *("log", "exp", "sqrt", "min", "max", "mod", "gcd", "lcm"),
    )
)
_COMMAND = re.compile(r"\\(?:text|mathrm|mbox|operatorname)\s*\{[^{}]*\}|\\[A-Za-z]+")
_WORD = re.compile(r"[^\W\d_]{3,}")
_DOLLARS = re.compile(r"[^$]*\$([^$]+)\$[^$]*")
_BOXED = r"\boxed{"


def parse(text: str, relaxed: bool) -> str | None:
    """The one formula that `text` states, as LaTeX or plain text without signs around it."""
    formula = _clean(_marked(text) if relaxed else text)
    words = [word for word in _WORD.findall(_COMMAND.sub(" ", formula)) if word.lower() not in _FUNCTIONS]
    is_wordy = len(words) > 1 or (bool(words) and not any(sign.isdigit() for sign in formula))
    is_one = bool(formula) and "$" not in formula and len(formula) <= LONGEST and not is_wordy
    return formula if is_one and _is_formula(formula) else None


@lru_cache(maxsize=4096)
def same(said: str, truth: str) -> bool:
    """Whether the formula `said` is the true one; the truth is math-verify's gold, which is not symmetric."""
    return said == truth or bool(formula_process.ask("same", truth, said))


@lru_cache(maxsize=4096)
def _is_formula(text: str) -> bool:
    return bool(formula_process.ask("read", text))


def _marked(text: str) -> str:
    r"""The last `\boxed{}` of `text`, else what stands between its only two `$`, else all of it."""
    start = text.rfind(_BOXED)
    if start >= 0:
        depth, begin = 1, start + len(_BOXED)
        for at in range(begin, len(text)):
            depth += {"{": 1, "}": -1}.get(text[at], 0)
            if depth == 0:
                return text[begin:at]
    match = _DOLLARS.fullmatch(text)
    return match[1] if match else text


def _clean(text: str) -> str:
    bare = " ".join(text.split()).removesuffix(".").strip()
    match = _DOLLARS.fullmatch(bare)
    if match and bare == f"${match[1]}$":
        bare = match[1].strip()
    return bare.replace("°", r"^\circ").replace("−", "-").replace("×", r"\times ")


FORMULA = AnswerKind(
    name="formula", asks="a number or a formula", refused="no formula that can be read", parse=parse, same=same
)
