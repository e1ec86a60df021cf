"""The task `synthetic_vsr`: VSR's question about rendered scenes (`vlm_grpo.embedded.synthetic_vsr` builds them).

Its reasoning is of one template ("The red circle is in column 2, the blue square in column 4, so it is left."), so
that a thought for either answer, and a mistake in one, can be written by rule.
"""

import re
from dataclasses import replace
from random import Random

from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.base import AnswerKind
from vlm_grpo.tasks.answers.truth import TRUTH
from vlm_grpo.tasks.base import OWN_COMPLETION, own_completion
from vlm_grpo.tasks.counterfactuals import OF_KIND
from vlm_grpo.tasks.vsr import task as vsr

NAME = "synthetic_vsr"
LAST_PLACE = 4
"""Columns and rows are counted from 1 to this."""
_CLAIM = re.compile(r"\bthe (\w+ \w+) is (left of|right of|above|below) the (\w+ \w+)\.", re.IGNORECASE)
_PLACE = re.compile(r"\b(column|row) (\d+)")
_SIDE = re.compile(r"\bso it is (?:to the )?(left|right|above|below)\b")
_RELATION = {"left": "left of", "right": "right of", "above": "above", "below": "below"}
AXES = {"left of": "column", "right of": "column", "above": "row", "below": "row"}
OPPOSITE = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}


def argue(answer: bool, row: Row, kind: AnswerKind, rng: Random) -> str:
    """Places of both things, and what follows from them, such that the claim is `answer`."""
    first, relation, second = _CLAIM.findall(row.problem)[0]
    side = relation if answer else OPPOSITE[relation]
    low, high = sorted(rng.sample(range(1, LAST_PLACE + 1), 2))
    places = (low, high) if side in ("left of", "above") else (high, low)
    axis = AXES[relation]
    where = f"The {first} is in {axis} {places[0]}, the {second} in {axis} {places[1]}"
    return f"{where}, so it is {side.removesuffix(' of')}."


def claim(answer: bool, row: Row, kind: AnswerKind) -> str:
    """A caption that says the claim, or its opposite."""
    first, relation, second = _CLAIM.findall(row.problem)[0]
    return f"The {first} is {relation if answer else OPPOSITE[relation]} the {second}."


def mistake(thought: str, row: Row, rng: Random) -> str | None:
    """`thought` up to its last place, which is moved to the other side of the first one; None without two places."""
    places = list(_PLACE.finditer(thought))
    if len(places) < 2:
        return None
    first, last = int(places[0][2]), int(places[-1][2])
    beyond = range(1, first) if last > first else range(first + 1, LAST_PLACE + 1)
    if last == first or not beyond:
        return None
    return f"{thought[: places[-1].start(2)]}{rng.choice(beyond)}"


def ends_on(thought: str, row: Row, kind: AnswerKind) -> bool | None:
    """What `thought` makes of the claim: what it concludes, else what its places say; None where they say nothing."""
    first, relation, second = (part.lower() for part in _CLAIM.findall(row.problem)[0])
    axis = AXES[relation]
    concluded = {side for side in _SIDE.findall(thought.lower()) if AXES[_RELATION[side]] == axis}
    if concluded:
        return _RELATION[concluded.pop()] == relation if len(concluded) == 1 else None
    places = {}
    for thing in (first, second):
        stated = set(re.findall(rf"{thing}(?: is)? in (?:row \d+,? )?{axis} (\d+)", thought.lower()))
        if len(stated) != 1:
            return None
        places[thing] = int(stated.pop())
    difference = places[first] - places[second]
    return None if difference == 0 else (difference < 0) == (relation in ("left of", "above"))


def mirrored(row: Row) -> Row | None:
    """The row as its mirrored picture asks it: what is left is right; above and below stay."""
    relation = _CLAIM.findall(row.problem)[0][1]
    if AXES[relation] == "row":
        return row
    return row.model_copy(update={"solution": TRUTH.write(not TASK.truth(row))})


def _renamed(pairs: tuple[tuple[str, Row], ...]) -> tuple[tuple[str, Row], ...]:
    return tuple((completion, row.model_copy(update={"task": NAME})) for completion, row in pairs)


TASK = replace(
    vsr.TASK,
    name=NAME,
    gold=_renamed(vsr.TASK.gold),
    hacks=_renamed(vsr.TASK.hacks),
    lessons={OWN_COMPLETION: own_completion},
    counterfactuals=replace(
        OF_KIND["truth"],
        argue=argue,
        claim=claim,
        mistake=mistake,
        ends_on=ends_on,
        reads_all=True,
        mirrored=mirrored,
    ),
)
