"""How much of a decoding is right: distances between letter strings, and the gates that a proposal has to pass.

The *decoding* is what a completion writes in `<chars>`: letters apart, `_` for a space. r1_vlm's distance is
Levenshtein's over that text; half of it are spaces that match for free, so that the code itself, copied, is worth about
one half. `letters` is Levenshtein's over its letters, and only letters count as right: a copy is worth next to nothing.
A gate refuses what is no nearer to the truth than what anybody has: `code`, as in r1_vlm's code, what is nearer to the
coded message than to the truth; `blog`, as in its authors' blog, what is not nearer to the truth than the coded message
is. A proposal that is the truth passes every gate.
"""

from typing import Literal

from rapidfuzz.distance import Levenshtein

from vlm_grpo.tasks.blocks import is_thinking
from vlm_grpo.tasks.cryptogram.cipher import SPACE, spaced
from vlm_grpo.tasks.cryptogram.questions import CHARS, END_CHARS

Measure = Literal["letters", "spaced"]
Gate = Literal["blog", "code", "none"]
JoinGate = Literal["letters", "code"]


def chars_block(text: str) -> str | None:
    """The stripped content of the one `<chars>` block of `text`, inside a thought; None where there is not just one.

    >>> chars_block("<think> so <chars> c a t </chars> </think> <answer> cat </answer>")
    'c a t'
    """
    if text.count(CHARS) != 1 or text.count(END_CHARS) != 1:
        return None
    start, end = text.index(CHARS), text.index(END_CHARS)
    if end < start or not is_thinking(text, at=start) or not is_thinking(text, at=end):
        return None
    content = text[start + len(CHARS) : end].strip()
    return None if "<" in content else content


def decoding_credit(proposal: str | None, *, truth: str, code: str, measure: Measure, gate: Gate) -> float:
    """What the decoding `proposal` is worth, 0 to 1; `truth` and `code` are messages with their letters apart.

    1 exactly where `proposal` is the truth, single spaces included.
    """
    if proposal is None:
        return 0.0
    if proposal == truth:
        return 1.0
    if not _passes(proposal, truth=truth, code=code, measure=measure, gate=gate):
        return 0.0
    longest = max(_length(truth, measure), _length(proposal, measure))
    return max(0.0, 1 - _distance(proposal, truth, measure) / longest)


def answer_credit(said: str, truth: str, *, gate: JoinGate = "letters") -> float:
    """What the message `said` is worth as an answer, 0 to 1 (r1_vlm's soft correctness, without its condition).

    It must be nearer to `truth` than the decoded message with its letters apart is, so that joining them has to be
    learnt: with gate "letters" than its letters are, with "code", as in r1_vlm, than they are with `_` between words.
    """
    if said == truth:
        return 1.0
    apart = " ".join(truth.replace(" ", "")) if gate == "letters" else spaced(truth)
    distance = Levenshtein.distance(said, truth)
    if distance >= Levenshtein.distance(apart, truth):
        return 0.0
    return max(0.0, 1 - distance / max(len(said), len(truth)))


def _passes(proposal: str, *, truth: str, code: str, measure: Measure, gate: Gate) -> bool:
    match gate:
        case "blog":
            return _distance(proposal, truth, measure) < _distance(code, truth, measure)
        case "code":
            return _distance(proposal, truth, measure) <= _distance(proposal, code, measure)
        case "none":
            return True


def _distance(a: str, b: str, measure: Measure) -> int:
    """Edits between the texts, or between what stands between their single spaces: letters and `_`."""
    return Levenshtein.distance(a, b) if measure == "spaced" else Levenshtein.distance(a.split(" "), b.split(" "))


def _length(text: str, measure: Measure) -> int:
    """How much of `text` can be right: all of it, or its letters."""
    return len(text) if measure == "spaced" else sum(letter != SPACE for letter in text.split(" "))
