"""Read a file of own data: every record that can be used, and what is wrong with each of the others.

A record: `conversations` (the question, then the reference answer, each in `value`), `image` (one path, a list of them,
or none), and optionally `id` and `accu_reward_method`; other columns are carried along. Pictures are not looked at.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlm_grpo.errors import UserError
from vlm_grpo.paths import expand_home
from vlm_grpo.rows.records import FIELDS
from vlm_grpo.store import jsonl
from vlm_grpo.tasks.answers.base import AnswerKind
from vlm_grpo.tasks.blocks import OPEN, answer_block
from vlm_grpo.tasks.jsonl import methods
from vlm_grpo.tasks.jsonl.sources import Source, is_address
from vlm_grpo.tasks.jsonl.task import FILE, MARKER, METHOD

READ = ("id", "image", "conversations", METHOD)
RESERVED = frozenset((*FIELDS, FILE)) - {"id"}
ASKS, ANSWERS = ("human", "user", None), ("gpt", "assistant", None)


@dataclass(frozen=True)
class Record:
    """A record that can be used.

    Attributes:
        source: where it was read.
        line: its line, from 1.
        id: its own id as text, None where it has none.
        pictures: paths of its pictures, in order.
        problem: the question, with a marker for each picture or with none.
        solution: the reference answer, bare.
        method: how it is scored.
        others: its other columns.
    """

    source: Source
    line: int
    id: str | None
    pictures: tuple[Path, ...]
    problem: str
    solution: str
    method: str
    others: dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """What is wrong with the record on `line` of `file`."""

    file: Path
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file} line {self.line}: {self.reason}"


def read(source: Source, *, kind: AnswerKind | None = None) -> tuple[list[Record], list[Fault]]:
    """The records of `source` in order, and the faults of the others; `UserError` where the file cannot be read.

    `kind`: what every answer is, for a task of one kind; the methods that records name then play no part.
    """
    records, faults = [], []
    for line, value in jsonl.read_each(source.file):
        try:
            records.append(_record(value, source, line, kind))
        except UserError as error:
            faults.append(Fault(source.file, line, str(error)))
    if not records and not faults:
        raise UserError(f"{source.file} holds no record; give a file with one JSON object a line")
    return records, faults


def as_text(answer: Any) -> str:
    """A reference answer as text: what an `<answer>` block states, or all of it; JSON where it is no text.

    >>> as_text("<answer> 3 </answer>"), as_text({"box": [1, 2.5]}), as_text(True)
    ('3', '{"box": [1, 2.5]}', 'true')
    """
    if not isinstance(answer, str):
        return json.dumps(answer, ensure_ascii=False)
    if OPEN not in answer:
        return answer.strip()
    stated = answer_block(answer)
    if stated is None:
        raise UserError("the answer has no single <answer> block outside its thoughts; write one, or none")
    return stated


def _record(value: dict[str, Any] | str, source: Source, line: int, kind: AnswerKind | None) -> Record:
    """The record; `UserError` with what is wrong with it."""
    if isinstance(value, str):
        raise UserError(value)
    question, answer = _turns(value.get("conversations"))
    images = _images(value.get("image"))
    if not question.replace(MARKER, "").strip():
        raise UserError("the question is empty")
    markers = question.count(MARKER)
    if markers not in (0, len(images)):
        raise UserError(
            f"the question holds {MARKER} {markers} times for {len(images)} pictures; give one each, or none to put "
            "the pictures first"
        )
    is_own = kind is None and value.get(METHOD) is not None
    method = methods.check(value[METHOD]) if is_own else source.method
    solution = as_text(answer)
    if not solution:
        raise UserError("the answer is empty")
    if kind is None:
        methods.kind_of(method, solution).solution(solution, where=f"scored by {method}")
    else:
        kind.solution(solution, where=f"as {kind.name}")
    others = {name: column for name, column in value.items() if name not in READ}
    if clash := sorted(others.keys() & RESERVED):
        raise UserError(f"column {clash[0]!r} has a name that the data set needs; rename it")
    return Record(
        source=source,
        line=line,
        id=_id(value.get("id")),
        pictures=tuple(Path(source.folder) / expand_home(image) for image in images),
        problem=question.strip(),
        solution=solution,
        method=method,
        others=others,
    )


def _turns(conversations: Any) -> tuple[str, Any]:
    if not isinstance(conversations, list) or not all(isinstance(turn, dict) for turn in conversations):
        raise UserError("'conversations' is no list of turns; give one of human and one of gpt, each with a value")
    if len(conversations) != 2:
        raise UserError(f"'conversations' has {len(conversations)} turns; one question and its answer can be learnt")
    for turn, names in zip(conversations, (ASKS, ANSWERS), strict=True):
        if turn.get("from") not in names:
            raise UserError(f"a turn is from {turn['from']!r} where {names[0]} is expected; the question comes first")
        if turn.get("value") is None:
            raise UserError(f"the turn of {turn.get('from') or names[0]} has no 'value'")
    question = conversations[0]["value"]
    if not isinstance(question, str):
        raise UserError(f"the question is {type(question).__name__}, not text")
    return question, conversations[1]["value"]


def _images(value: Any) -> list[str]:
    images = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(images, list) or not all(isinstance(image, str) for image in images):
        raise UserError("'image' is neither a path nor a list of paths")
    for image in images:
        if not image.strip() or "\0" in image:
            raise UserError(f"'image' holds {image!r}, which names no file")
        if is_address(image):
            raise UserError(f"picture {image} is an address, and pictures are read from disk; fetch it first")
    return images


def _id(value: Any) -> str | None:
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
