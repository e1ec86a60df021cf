"""What a judge must answer, as a schema: sent to servers that take one, and used to validate every answer.

A judgement that does not validate is missing, with the reason; it is never turned into "misaligned".
"""

from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

Kind = Literal["contradiction", "missing_detail", "irrelevant", "other"]


class Judgement(BaseModel):
    """The taxonomy prompt's answer. `type` is null exactly when `aligns`; `why` names the match or mismatch."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    aligns: bool
    type: Kind | None
    why: str

    @model_validator(mode="after")
    def _type_exactly_when_misaligned(self) -> "Judgement":
        if (self.type is None) != self.aligns:
            raise ValueError(f"type is {self.type!r} where aligns is {self.aligns}")
        return self


class SimpleJudgement(BaseModel):
    """The simple prompt's answer: no type is asked."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    aligns: bool
    why: str


@cache
def schema(*, asks_type: bool) -> dict[str, Any]:
    """The JSON schema of the answer: all keys required, none besides, as structured output wants it."""
    return (Judgement if asks_type else SimpleJudgement).model_json_schema()


def parse(text: str, *, asks_type: bool) -> tuple[dict[str, Any], str | None]:
    """Read a judge's answer: `{aligns, type, why}` and the reason why it is missing (then all three are None)."""
    try:
        found = (Judgement if asks_type else SimpleJudgement).model_validate_json(_unfenced(text))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return missing(f"not a judgement: {f'{where}: ' if where else ''}{first['msg']}")
    return {"aligns": found.aligns, "type": getattr(found, "type", None), "why": found.why}, None


def missing(reason: str) -> tuple[dict[str, Any], str]:
    """No judgement, because of `reason`."""
    return {"aligns": None, "type": None, "why": None}, reason


def _unfenced(text: str) -> str:
    """The content of a Markdown code fence, where a server without structured output wraps its JSON in one."""
    lines = text.strip().splitlines()
    fenced = len(lines) > 2 and lines[0].startswith("```") and lines[-1] == "```"
    return "\n".join(lines[1:-1]) if fenced else text
