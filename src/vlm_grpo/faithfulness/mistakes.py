"""`mistakes.jsonl`: thoughts up to a sentence that a judge made wrong (`vlm_grpo.faithfulness.ask_mistakes`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vlm_grpo.errors import UserError
from vlm_grpo.faithfulness.parts import parts_of
from vlm_grpo.store import jsonl

MISTAKES = "mistakes.jsonl"
FIELDS = ("id", "before", "mistake", "missing", "judge")


@dataclass(frozen=True, slots=True)
class Mistake:
    """`spoilt` is the thought up to and with its mistake; None, and `missing` says why. `judge` wrote it."""

    spoilt: str | None
    missing: str | None
    judge: str


def read_mistakes(path: Path, texts: Mapping[str, str]) -> dict[str, Mistake]:
    """The mistakes in `path` by row id, written for the completions `texts`; `UserError` for others."""
    read: dict[str, Mistake] = {}
    for number, record in jsonl.read_input(path):
        where = f"{path} line {number}"
        absent = [name for name in FIELDS if name not in record]
        if absent:
            raise UserError(f"{where}: {absent[0]!r} is missing; a mistake needs {', '.join(FIELDS)}")
        id, before = str(record["id"]), str(record["before"])
        parts = parts_of(texts.get(id, ""))
        if parts is None or not parts.thought.startswith(before):
            raise UserError(f"{where}: row {id!r} says something else in this arm; ask for mistakes in its thoughts")
        spoilt = None if record["mistake"] is None else f"{before}{record['mistake']}"
        read[id] = Mistake(spoilt, record["missing"], str(record["judge"]))
    return read
