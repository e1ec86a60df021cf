"""Saved completions of one arm with their rows and what they are worth: a finished evaluation, or a file of others."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vlm_grpo.errors import UserError
from vlm_grpo.evaluation.arms import open_arm
from vlm_grpo.paths import user_path
from vlm_grpo.rows.records import Row, parse_row
from vlm_grpo.store import jsonl
from vlm_grpo.store.provenance import file_hash
from vlm_grpo.tasks.answers.rules import Rule
from vlm_grpo.tasks.base import Outcome
from vlm_grpo.tasks.counting import r1v
from vlm_grpo.tasks.registry import task_of

FIELDS = ("id", "problem", "solution", "task", "text")


@dataclass(frozen=True, slots=True)
class Saved:
    """The completions of one arm by row id; `fingerprint` says which."""

    name: str
    rows: list[Row]
    texts: Mapping[str, str]
    outcomes: Mapping[str, Outcome]
    fingerprint: str


def open_saved(word: str, *, rule: Rule) -> Saved:
    """`NAME=PLACE`, or PLACE alone: a finished evaluation's folder, a JSONL of `FIELDS`, or R1-V's JSON.

    Answers of files are read by `rule`; those of an evaluation as it read them.
    """
    name, _, place = word.rpartition("=")
    path = user_path(place)
    name = name or path.name
    if path.is_dir():
        arm = open_arm(path)
        texts = {id: generation.text for id, generation in arm.generations.items()}
        return Saved(name, arm.rows, texts, arm.outcomes, file_hash(path / "generations.jsonl"))
    pairs = r1v.read(path) if r1v.is_r1v(path) else _read(path)
    outcomes = {row.id: task_of(row).outcome(text, row, rule=rule) for row, text in pairs}
    if len(outcomes) < len(pairs):
        raise UserError(f"{path}: an id occurs twice; give each row one completion")
    return Saved(name, [row for row, _ in pairs], {row.id: text for row, text in pairs}, outcomes, file_hash(path))


def _read(path: Path) -> list[tuple[Row, str]]:
    pairs = []
    for number, record in jsonl.read_input(path):
        where = f"{path} line {number}"
        absent = [name for name in FIELDS if name not in record]
        if absent:
            raise UserError(f"{where}: {absent[0]!r} is missing; a completion needs {', '.join(FIELDS)}")
        row = parse_row({name: record[name] for name in FIELDS[:-1]} | {"images": ()}, where=where)
        pairs.append((row, str(record["text"])))
    if not pairs:
        raise UserError(f"{path} holds no completion")
    return pairs
