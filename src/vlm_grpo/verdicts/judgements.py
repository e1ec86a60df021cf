"""What a judge must answer, as a schema: sent to servers that take one, and used to validate every answer.

A judgement that does not validate is missing, with the reason; it is never turned into "misaligned".
"""

from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, create_model, model_validator

from vlm_grpo.store.strict_json import repeated_key
from vlm_grpo.verdicts.kinds import PUBLISHED


class SimpleJudgement(BaseModel):
    """The simple prompt's answer: no type is asked."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    aligns: bool
    why: str


class Judgement(BaseModel):
    """The taxonomy prompt's answer. `type` is null exactly when `aligns`; `why` names the match or mismatch."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    aligns: bool
    type: str | None
    why: str

    @model_validator(mode="after")
    def _type_exactly_when_misaligned(self) -> "Judgement":
        if (self.type is None) != self.aligns:
            raise ValueError(f"type is {self.type!r} where aligns is {self.aligns}")
        return self


class EndingJudgement(BaseModel):
    """The answer that a thought ends on, in its words; null where it ends on none. `why` names the place."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    ending: str | None
    why: str


class MistakeJudgement(BaseModel):
    """A sentence of a thought, made wrong; null where it states nothing. `why` names what is wrong in it."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    mistake: str | None
    why: str


Form = Literal["alignment", "ending", "mistake"]
"""What a prompt asks for: whether reasoning and answer align, which answer the reasoning ends on, a sentence spoilt."""
_OF_FORM: dict[str, type[BaseModel]] = {"ending": EndingJudgement, "mistake": MistakeJudgement}
"""Answers that say nothing about alignment."""


@cache
def _answer(kinds: tuple[str, ...], form: Form) -> type[BaseModel]:
    """What is answered when these kinds are asked for."""
    if form in _OF_FORM:
        return _OF_FORM[form]
    if not kinds:
        return SimpleJudgement
    own = "`type` is null exactly when `aligns`, else one of the kinds; `why` names the match or mismatch."
    doc = Judgement.__doc__ if kinds == tuple(PUBLISHED) else own
    kind: Any = Literal[kinds]
    return create_model("Judgement", __base__=Judgement, __doc__=doc, type=(kind | None, ...))


@cache
def schema(kinds: tuple[str, ...], form: Form = "alignment") -> dict[str, Any]:
    """The JSON schema of an answer of `form`: all keys required, none besides, as structured output wants it.

    `type` is one of `kinds` or null; without kinds there is no such key.
    """
    return _answer(kinds, form).model_json_schema()


def parse(text: str, kinds: tuple[str, ...], form: Form = "alignment") -> tuple[dict[str, Any], str | None]:
    """Read a judge's answer: `{aligns, type, why}` and the reason why it is missing (then all three are None).

    An answer of the form "ending" or "mistake" has that besides, and None for `aligns` and `type`.

    An answer that gives a key twice says two things, of which none is picked.
    """
    content = _unfenced(text)
    try:
        judgement = _answer(kinds, form).model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return missing(f"not a judgement: {f'{where}: ' if where else ''}{first['msg']}")
    twice = repeated_key(content)
    if twice is not None:
        return missing(f"not a judgement: {twice!r} is given twice")
    return {"aligns": None, "type": None, **judgement.model_dump()}, None


def missing(reason: str) -> tuple[dict[str, Any], str]:
    """No judgement, because of `reason`."""
    return {"aligns": None, "type": None, "why": None}, reason


def _unfenced(text: str) -> str:
    """The content of a Markdown code fence, where a server without structured output wraps its JSON in one."""
    lines = text.strip().split("\n")
    fenced = len(lines) > 2 and lines[0].startswith("```") and lines[-1] == "```"
    return "\n".join(lines[1:-1]) if fenced else text
