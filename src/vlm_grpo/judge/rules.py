"""The embedded judge: checks templated reasoning about two shapes on a grid for entailment, exactly and offline.

It knows claims "The red circle is left of the blue square." and reasoning that says where things are ("the red circle
is in column 2, the blue square in column 4") and what follows ("so it is left"), as the synthetic data set's models
write. Everything stated is taken as given; the picture plays no part.

    aligned         all that is stated about the claim leads to the answer
    contradiction   something stated leads to the opposite answer
    missing_detail  things are located, but not both along the axis that decides
    irrelevant      nothing is located ("I will guess.")
    other           a thing is said to be in two places

It cannot judge other claims, free text, or answers other than True and False: such a verdict is missing.
"""

import json
import re
from dataclasses import dataclass

from vlm_grpo.tasks.answers.truth import TRUTH
from vlm_grpo.verdicts.judgements import Judgement
from vlm_grpo.verdicts.kinds import PUBLISHED, Kinds
from vlm_grpo.verdicts.providers import Call

_THING = r"(?:red|blue|green|yellow) (?:circle|square|triangle)"
_CLAIM = re.compile(rf"\bthe ({_THING}) is (left of|right of|above|below) the ({_THING})\b", re.IGNORECASE)
_PLACE = re.compile(rf"(?:\bthe )?\b({_THING})(?: is)? in ((?:column|row) \d+(?:,? (?:and )?(?:column|row) \d+)?)")
_COORDINATE = re.compile(r"(column|row) (\d+)")
_CONCLUSION = re.compile(r"\bso it is (?:to the )?(left|right|above|below)\b(?: of it)?")
_GUESS = re.compile(r"\bi will guess\b")
_AXES = {"left": ("column", -1), "right": ("column", 1), "above": ("row", -1), "below": ("row", 1)}
"""Per relation: the axis that decides it, and the sign of (first - second) along it when it holds."""

KINDS: Kinds = PUBLISHED
"""What this judge tells apart: the kinds of the published tables, as said above."""
SCOPE = (
    "the rules judge reads only the templated claims and reasoning of the synthetic data set; "
    "free text, other claims and unreadable answers are reported as missing"
)


class CannotJudgeError(Exception):
    """The text is outside what the rules cover."""


@dataclass(frozen=True, slots=True)
class _Claim:
    first: str
    relation: str
    second: str


def judge(question: str, reasoning: str, answer: str) -> Judgement:
    """Judge one item. Raises `CannotJudgeError` for what the rules do not cover.

    >>> judge("The red circle is above the blue square.", "I will guess.", "True").type
    'irrelevant'
    """
    claims = _CLAIM.findall(question)
    if len(claims) != 1:
        raise CannotJudgeError("the question holds no claim about two coloured shapes")
    claim = _Claim(claims[0][0].lower(), claims[0][1].lower().removesuffix(" of"), claims[0][2].lower())
    stated = TRUTH.read(answer, "bare")
    if stated is None:
        raise CannotJudgeError("the answer is neither True nor False")
    places, conclusions = _read(reasoning)
    return _verdict(claim, places, conclusions, stated)


def _read(reasoning: str) -> tuple[dict[str, dict[str, set[int]]], list[str]]:
    """What the reasoning states: places by thing and axis, and conclusions; nothing else may be left over."""
    text = reasoning.lower()
    places: dict[str, dict[str, set[int]]] = {}
    for thing, where in _PLACE.findall(text):
        for axis, number in _COORDINATE.findall(where):
            places.setdefault(thing, {}).setdefault(axis, set()).add(int(number))
    conclusions = _CONCLUSION.findall(text)
    rest = text
    for known in (_PLACE, _CONCLUSION, _GUESS):
        rest = known.sub(" ", rest)
    unread = re.sub(r"\band\b|[\s.,;]", "", rest)
    if unread:
        raise CannotJudgeError(f"the reasoning is not of the known templates (left over: {unread[:40]!r})")
    return places, conclusions


def _verdict(claim: _Claim, places: dict[str, dict[str, set[int]]], conclusions: list[str], stated: bool) -> Judgement:
    axis, sign = _AXES[claim.relation]
    if any(len(numbers) > 1 for where in places.values() for numbers in where.values()):
        return Judgement(aligns=False, type="other", why="a thing is said to be in two places")
    implied = [c == claim.relation for c in conclusions if _AXES[c][0] == axis]
    first, second = (places.get(thing, {}).get(axis) for thing in (claim.first, claim.second))
    if first and second:
        difference = min(first) - min(second)
        implied.append(difference * sign > 0)
    if implied:
        if all(value == stated for value in implied):
            return Judgement(aligns=True, type=None, why=f"what is stated makes the claim {stated}")
        return Judgement(aligns=False, type="contradiction", why=f"what is stated makes the claim {not stated}")
    if places:
        return Judgement(aligns=False, type="missing_detail", why=f"not both things are located by {axis}")
    return Judgement(aligns=False, type="irrelevant", why="the reasoning locates nothing")


class RulesProvider:
    """The rules behind the interface of a provider."""

    api = "rules"

    async def ask(self, call: Call) -> str:
        """Judge `call.item`; the reply says `cannot_judge` where the rules do not reach."""
        try:
            verdict = judge(call.item.question, call.item.reasoning, call.item.answer)
        except CannotJudgeError as error:
            return json.dumps({"cannot_judge": str(error)})
        return verdict.model_dump_json()

    async def close(self) -> None:
        """Nothing is open."""
