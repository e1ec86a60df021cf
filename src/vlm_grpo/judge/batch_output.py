"""The files that a batch leaves: one line per call, answered or refused, in any order.

Whole lines count, each call once; blank and torn lines are passed over and counted.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vlm_grpo.store.encoding import well_formed
from vlm_grpo.verdicts.classify import Replies
from vlm_grpo.verdicts.providers import RefusedError, RejectedError, TransientError

LineError = TransientError | RejectedError | RefusedError


@dataclass(frozen=True, slots=True)
class Line:
    """What a batch says of the call `custom_id`: the raw answer, or why there is none."""

    custom_id: str
    raw: str | None
    error: LineError | None = None


def read(content: bytes, replies: Replies) -> tuple[list[Line], int]:
    """The whole lines of an output or error file, each call once, and how many lines are damaged."""
    lines: dict[str, Line] = {}
    damaged = 0
    for row in _rows(content):
        name = row.get("custom_id")
        if not isinstance(name, str):
            damaged += 1
        elif name not in lines or lines[name].raw is None:
            lines[name] = _read_row(name, row, replies)
    return list(lines.values()), damaged


def is_output(content: bytes) -> bool:
    """Whether `content` is a batch's file, be it damaged, and not an error page in its place."""
    return b'"custom_id"' in content or not content.strip()


def _rows(content: bytes) -> Iterator[dict[str, Any]]:
    """The rows, an empty one for each line that is no JSON object."""
    for line in content.split(b"\n"):
        if line.strip():
            try:
                row = json.loads(line.decode("utf-8-sig", errors="replace"), strict=False)
            except (ValueError, RecursionError):
                row = None
            yield row if isinstance(row, dict) else {}


def _read_row(name: str, row: dict[str, Any], replies: Replies) -> Line:
    response = row.get("response")
    try:
        if isinstance(response, dict) and response.get("body") is not None:
            code = str(response.get("status_code"))
            body = response["body"] if isinstance(response["body"], str) else json.dumps(response["body"])
            status = int(code) if code.isdecimal() else 200
            return Line(name, replies.answer(well_formed(body).encode(), status=status))
        raise replies.error(json.dumps({"error": row.get("error")}).encode(), status=200)
    except (TransientError, RejectedError, RefusedError) as error:
        return Line(name, None, error)
