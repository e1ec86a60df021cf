"""What is judged: one item per row of an arm's generations, with reasoning and answer taken apart.

Reads `generations.jsonl` of one or two arms. Questions and true answers come with the generations, or from a JSONL file
of rows (`id`, `problem`, `solution`). Reasoning is the `<think>` block (or what stands before `<answer>`), the answer
the one `<answer>` block; polished responses that end in `Answer: X` are read too. The judge never sees the picture.

Whether an answer is right is the evaluation's business (`vlm_grpo.evaluation.outcomes`) and comes with its folder. In
files of other programs the answer is read strictly.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlm_grpo.errors import UserError
from vlm_grpo.judge.correctness import Correctness
from vlm_grpo.rows.records import Row, parse_row
from vlm_grpo.store import jsonl, manifest
from vlm_grpo.store.encoding import well_formed
from vlm_grpo.store.provenance import file_hash
from vlm_grpo.tasks.blocks import answer_block, thoughts
from vlm_grpo.tasks.registry import task_of
from vlm_grpo.verdicts.items import Item


@dataclass(frozen=True, slots=True)
class JudgedArm:
    """The generations of one model: `size` is the number of rows of the split where the evaluation says so."""

    name: str
    checkpoint: str
    split: str | None
    size: int | None
    fingerprint: str
    items: tuple[Item, ...]


def split_response(text: str) -> tuple[str, str, str | None]:
    """Take reasoning and answer of a response apart; the third value says why it cannot be judged, or is None.

    >>> split_response("<think> It is left. </think> <answer> True </answer>")
    ('It is left.', 'True', None)
    """
    answer = answer_block(text)
    before = text.partition("<answer>")[0]
    if answer is None and "Answer:" in text and "<answer>" not in text:
        before, _, answer = text.rpartition("Answer:")
    blocks = thoughts(text)
    reasoning = (blocks[0] if len(blocks) == 1 else before.replace("<think>", " ").replace("</think>", " ")).strip()
    if not answer or not answer.strip():
        return reasoning, "", "the response has no single answer"
    return reasoning, answer.strip(), None if reasoning else "the response has no reasoning"


def read_arm(name: str, path: Path, questions: Mapping[str, Mapping[str, Any]]) -> JudgedArm:
    """Read one arm's generations. `questions` (by row id) serve rows that carry no question of their own."""
    if not path.exists():
        raise UserError(f"{path} does not exist; run the evaluation that writes it first")
    folder = path.parent
    if (folder / manifest.IDENTITY).exists() and not manifest.exists(folder):
        raise UserError(f"{folder} is not finished (no manifest.json); run the same evaluation again first")
    numbered = list(jsonl.read_input(path))
    if not numbered:
        raise UserError(f"{path} holds no generation")
    correctness = Correctness.beside(path)
    items: dict[str, Item] = {}
    for number, row in numbered:
        item = _item(name, row, questions, correctness, f"{path} line {number}")
        if item.row_id in items:
            raise UserError(f"{path} line {number}: row {item.row_id!r} occurs twice")
        items[item.row_id] = item
    counts = manifest.read(folder)["counts"] if manifest.exists(folder) else {}
    return JudgedArm(
        name=name,
        checkpoint=_one_value(path, numbered, "model") or name,
        split=_one_value(path, numbered, "split"),
        size=counts.get("split_rows"),
        fingerprint=file_hash(path),
        items=tuple(items.values()),
    )


def _item(
    arm: str, row: Mapping[str, Any], questions: Mapping[str, Mapping[str, Any]], correctness: Correctness, where: str
) -> Item:
    row_id = _row_id(row, where)
    source = row if "problem" in row else questions.get(row_id)
    if "text" not in row:
        raise UserError(f"{where}: a generation needs id and text")
    if source is None or "problem" not in source or "solution" not in source:
        raise UserError(
            f"{where}: row {row_id!r} has no problem and solution; give the rows with --questions FILE.jsonl"
        )
    images = row.get("images", [])
    if not isinstance(images, list) or not all(isinstance(image, str) for image in images):
        raise UserError(f"{where}: images is {_shown(images)}, not a list of paths; mend the row")
    text = _text(row, "text", where)
    reasoning, answer, unjudgeable = split_response(text)
    if unjudgeable and row.get("finish_reason") == "length":
        unjudgeable += " (cut off at the token limit)"
    asked = _asked(row_id, source, where)
    task = task_of(asked, where=where)
    truth = task.answer(asked).write(task.truth(asked, where=where))
    right, rule = correctness.of(asked, text, answer, where=where)
    return Item(
        row_id=row_id,
        model=arm,
        question=asked.problem,
        truth=truth,
        right=right,
        rule=rule,
        images=tuple(map(well_formed, images)),
        reasoning=reasoning,
        answer=answer,
        unjudgeable=unjudgeable,
    )


def _asked(row_id: str, source: Mapping[str, Any], where: str) -> Row:
    """The row that a generation answers, as far as it is known here; without a `task` it is VSR's."""
    names = [name for name in ("problem", "solution", "task") if name in source]
    columns = {name: _text(source, name, where) for name in names}
    return parse_row({"task": "vsr", "id": row_id, "images": (), **columns}, where=where)


def _row_id(row: Mapping[str, Any], where: str) -> str:
    row_id = row.get("id", row.get("row_id", ""))
    if type(row_id) not in (str, int) or not str(row_id).strip():
        raise UserError(f"{where}: a row needs an id, text or a whole number, not {_shown(row_id)}")
    return well_formed(str(row_id))


def _text(row: Mapping[str, Any], name: str, where: str) -> str:
    """The text called `name`, with U+FFFD for what no encoding carries."""
    if not isinstance(row[name], str):
        raise UserError(f"{where}: {name} is {_shown(row[name])}, not text; mend the row")
    return well_formed(row[name])


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _one_value(path: Path, rows: Sequence[tuple[int, Mapping[str, Any]]], name: str) -> str | None:
    values: dict[str | None, None] = {}
    for number, row in rows:
        value = row.get(name)
        values[None if value is None else _text(row, name, f"{path} line {number}")] = None
    if len(values) > 1:
        raise UserError(f"{path} holds generations of several values of {name!r}: {', '.join(map(str, values))}")
    return next(iter(values))


def read_questions(path: Path) -> dict[str, dict[str, Any]]:
    """Read the rows of a data set from JSONL, by id."""
    return {_row_id(row, f"{path} line {number}"): row for number, row in jsonl.read_input(path)}


def check_arms(arms: Sequence[JudgedArm]) -> None:
    """`UserError` unless the arms have names of their own, are of one split, and hold the same rows, asked alike."""
    first = arms[0]
    wanted = {item.row_id: (item.question, item.truth) for item in first.items}
    for arm in arms[1:]:
        if arm.name == first.name:
            raise UserError(f"two arms are called {arm.name!r}; give each --generations a name of its own")
        if arm.split != first.split:
            raise UserError(f"{first.name} is of split {first.split!r}, {arm.name} of {arm.split!r}; judge one split")
        asked = {item.row_id: (item.question, item.truth) for item in arm.items}
        lonely = wanted.keys() ^ asked.keys()
        if lonely:
            raise UserError(
                f"{first.name} and {arm.name} differ in {len(lonely)} rows, for example {min(lonely)!r}; evaluate both "
                "on the same split"
            )
        changed = [row_id for row_id in wanted if wanted[row_id] != asked[row_id]]
        if changed:
            raise UserError(f"row {changed[0]!r} has another question or label in {arm.name} than in {first.name}")
