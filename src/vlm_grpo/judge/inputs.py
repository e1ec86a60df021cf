"""What is judged: one item per row of an arm's generations, with reasoning and answer taken apart.

Reads `generations.jsonl` of one or two arms. Questions and true answers come with the generations, or from a JSONL file
of rows (`id`, `problem`, `solution`). Reasoning is the `<think>` block (or what stands before `<answer>`), the answer
the one `<answer>` block; polished responses that end in `Answer: X` are read too. The judge never sees the picture.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlm_grpo.errors import UserError
from vlm_grpo.store import jsonl, manifest
from vlm_grpo.store.encoding import well_formed
from vlm_grpo.store.provenance import file_hash
from vlm_grpo.tasks.answers.truth import TRUTH
from vlm_grpo.tasks.blocks import answer_block, thoughts


@dataclass(frozen=True, slots=True)
class Item:
    """One row of one arm. `unjudgeable` says why there is nothing to ask about (None: there is)."""

    row_id: str
    model: str
    question: str
    label: bool
    images: tuple[str, ...]
    reasoning: str
    answer: str
    unjudgeable: str | None


@dataclass(frozen=True, slots=True)
class Arm:
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


def read_arm(name: str, path: Path, questions: Mapping[str, Mapping[str, Any]]) -> Arm:
    """Read one arm's generations. `questions` (by row id) serve rows that carry no question of their own."""
    if not path.exists():
        raise UserError(f"{path} does not exist; run the evaluation that writes it first")
    folder = path.parent
    if (folder / manifest.IDENTITY).exists() and not manifest.exists(folder):
        raise UserError(f"{folder} is not finished (no manifest.json); run the same evaluation again first")
    numbered = list(jsonl.read_input(path))
    if not numbered:
        raise UserError(f"{path} holds no generation")
    items: dict[str, Item] = {}
    for number, row in numbered:
        item = _item(name, row, questions, f"{path} line {number}")
        if item.row_id in items:
            raise UserError(f"{path} line {number}: row {item.row_id!r} occurs twice")
        items[item.row_id] = item
    counts = manifest.read(folder)["counts"] if manifest.exists(folder) else {}
    return Arm(
        name=name,
        checkpoint=_one_value(path, numbered, "model") or name,
        split=_one_value(path, numbered, "split"),
        size=counts.get("split_rows"),
        fingerprint=file_hash(path),
        items=tuple(items.values()),
    )


def _item(arm: str, row: Mapping[str, Any], questions: Mapping[str, Mapping[str, Any]], where: str) -> Item:
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
    reasoning, answer, unjudgeable = split_response(_text(row, "text", where))
    if unjudgeable and row.get("finish_reason") == "length":
        unjudgeable += " (cut off at the token limit)"
    return Item(
        row_id=row_id,
        model=arm,
        question=_text(source, "problem", where),
        label=TRUTH.solution(_text(source, "solution", where), where=where),
        images=tuple(map(well_formed, images)),
        reasoning=reasoning,
        answer=answer,
        unjudgeable=unjudgeable,
    )


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


def check_arms(arms: Sequence[Arm]) -> None:
    """`UserError` unless the arms are of one split and hold the same rows with the same question and label."""
    first = arms[0]
    wanted = {item.row_id: (item.question, item.label) for item in first.items}
    for arm in arms[1:]:
        if arm.split != first.split:
            raise UserError(f"{first.name} is of split {first.split!r}, {arm.name} of {arm.split!r}; judge one split")
        found = {item.row_id: (item.question, item.label) for item in arm.items}
        lonely = wanted.keys() ^ found.keys()
        if lonely:
            raise UserError(
                f"{first.name} and {arm.name} differ in {len(lonely)} rows, for example {min(lonely)!r}; evaluate both "
                "on the same split"
            )
        changed = [row_id for row_id in wanted if wanted[row_id] != found[row_id]]
        if changed:
            raise UserError(f"row {changed[0]!r} has another question or label in {arm.name} than in {first.name}")
