"""The answer to a referring expression: one box, or `no target` where the picture shows nothing that fits.

Whether `no target` is on offer is a property of a data set and not of a row, which would give the answer away; it can
be read from every completion. Strict: the two words, or the box alone. Relaxed: `none`, `null`, an empty list or
object, a sentence that says `no target` and holds no box.
"""

import json
import re
from typing import Any

from vlm_grpo.tasks.answers import box
from vlm_grpo.tasks.answers.base import AnswerKind
from vlm_grpo.tasks.answers.box import Box
from vlm_grpo.tasks.view import View

NO_TARGET = "no target"
Said = Box | str
"""A box, or `NO_TARGET`."""

_NONE = re.compile(r"(?:none|null|\[\s*\]|\{\s*\}|[\[{\s]*\"(?:bbox_2d|bbox|box)\"\s*:\s*(?:null|\[\s*\])[\]}\s]*)\.?")
_SAYS_SO = re.compile(r"\bno target\b")


def parse(text: str, relaxed: bool) -> Said | None:
    """What `text` answers; None where it is neither, or both."""
    plain = " ".join(text.casefold().replace("```json", "").replace("```", "").split())
    if plain.strip(" .\"'*") == NO_TARGET or (relaxed and _NONE.fullmatch(plain)):
        return NO_TARGET
    says_so = _SAYS_SO.search(plain) is not None
    if says_so and relaxed and not re.search(r"\d", plain):
        return NO_TARGET
    return None if says_so else box.parse(text, relaxed)


def to_pixels(said: Said, view: View) -> Said:
    """What a model with `view` said, in pixels of the picture as it is."""
    return said if isinstance(said, str) else view.to_pixels(said)


def to_frame(truth: Said, view: View) -> Said:
    """A true answer in pixels of the picture as it is, as a model with `view` would say it."""
    return truth if isinstance(truth, str) else view.to_frame(truth)


def whole(value: Box) -> list[int]:
    """`value` in whole numbers, at least one apart."""
    left, top, right, bottom = map(round, value)
    return [left, top, max(right, left + 1), max(bottom, top + 1)]


def write(value: Said) -> str:
    """The two words, or the box in whole numbers."""
    return value if isinstance(value, str) else json.dumps(whole(value))


def as_object(value: Any, kind: AnswerKind) -> str:
    """The answer in its block, a box as the object that Qwen writes and that VLM-R1 asks for."""
    stated = value if isinstance(value, str) else json.dumps({"bbox_2d": whole(value)})
    return f"<answer> {stated} </answer>"


_REFUSED = f"neither {box.BOX.refused.removeprefix('no ')} nor {NO_TARGET!r}"
TARGET = AnswerKind(name="target", asks=box.BOX.asks, refused=_REFUSED, parse=parse, write=write)
ANY_TARGET = AnswerKind(
    name="any_target",
    asks=f"{box.BOX.asks}, or {NO_TARGET} if it shows nothing that fits",
    refused=_REFUSED,
    parse=parse,
    write=write,
)
