"""Reading verdicts: the stored ones of the study, our `verdicts.jsonl`, and the original's JSON layouts.

    stored      results/paper/alignment/<split>.tsv (index, model, true_label, final_ans, aligns, type)
    ours        JSONL written by alignment_judge/judge.py
    original    a JSON list of {index, model, question, true_label, image_url, reasoning, final_ans, aligns, type, why}
    responses   a JSON list of {true_response, predicted_response}, by position: where correctness is read when given

Rows that break a layout are refused with file and row. Sets that are not whole are the business of `checks`.
"""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlm_grpo.alignment.answer_rules import AnswerRule, is_answer_correct, is_correct
from vlm_grpo.alignment.items import JudgedItem
from vlm_grpo.errors import UserError
from vlm_grpo.judge import kinds
from vlm_grpo.store import jsonl
from vlm_grpo.tasks.answers.truth import TRUTH

STORED_COLUMNS = ["index", "model", "true_label", "final_ans", "aligns", "type"]


def read_stored(path: Path, rule: AnswerRule) -> list[JudgedItem]:
    """Read one stored TSV of the study."""
    if not path.exists():
        raise UserError(f"{path} is missing; name the folder results/paper of a checkout with --paper")
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        if reader.fieldnames != STORED_COLUMNS:
            raise UserError(f"{path} line 1: columns {reader.fieldnames}, expected {STORED_COLUMNS}")
        rows = list(reader)
    items = []
    for number, row in enumerate(rows, start=2):
        where = f"{path} line {number}"
        aligns = {"true": True, "false": False}.get(row["aligns"])
        kind = None if row["type"] == "-" else row["type"]
        items.append(_item({**row, "aligns": aligns, "type": kind}, rule, kinds.PUBLISHED, where))
    return items


def read_verdicts(path: Path, rule: AnswerRule | None, *, repeat: int = 0) -> tuple[list[JudgedItem], AnswerRule]:
    """Read a verdict file in our layout or the original's; return the items and the answer rule used.

    Without `rule`, the original's layout is read by `published` and ours by `strict`. Of our files only the verdicts
    of one `repeat` (from 0) are taken.
    """
    original = is_json_list(path)
    rule = rule or ("published" if original else "strict")
    if original:
        rows = read_json_list(path)
        return [_item(row, rule, kinds.PUBLISHED, f"{path} row {i}") for i, row in enumerate(rows)], rule
    rows = [row for _, row in jsonl.read_input(path) if row.get("repeat", 0) == repeat]
    if not rows:
        raise UserError(f"{path} holds no verdict of repeat {repeat}; run alignment_judge/judge.py first")
    known = kinds_of(path)
    return [_item(_our_row(row), rule, known, f"{path} row {row.get('row_id')!r}") for row in rows], rule


def kinds_of(path: Path) -> dict[str, str]:
    """The kinds of misalignment, name to meaning, that the judge of a verdict file was asked for.

    `UserError` when its verdicts answer several prompts: their types and rates are not of one table.
    """
    if is_json_list(path):
        return dict(kinds.PUBLISHED)
    asked: dict[tuple[str, ...], dict[str, str]] = {}
    for number, row in jsonl.read_input(path):
        known = kinds.of_record(row, f"{path} line {number}")
        asked[str(row.get("prompt")), str(row.get("prompt_hash")), *known] = known
        if len(asked) > 1:
            first, other = (f"prompt {prompt} ({', '.join(names) or 'no types'})" for prompt, _, *names in asked)
            raise UserError(f"{path} line {number}: {other}, but {first} before; put each prompt's verdicts in a file")
    return next(iter(asked.values()))


def judges_of(path: Path) -> str:
    """Name the judge(s) of a verdict file of ours; the original's layout does not say."""
    if is_json_list(path):
        return "not stated in the file"
    names = {f"{row.get('judge')} ({row.get('prompt')} prompt)" for _, row in jsonl.read_input(path)}
    return ", ".join(sorted(names))


def _our_row(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "index": row.get("row_id"), "true_label": row.get("label"), "final_ans": row.get("answer")}


def _item(row: Mapping[str, Any], rule: AnswerRule, known: kinds.Kinds, where: str) -> JudgedItem:
    for column in ("index", "model", "true_label", "final_ans", "aligns", "type"):
        if column not in row:
            raise UserError(f"{where}: column {column!r} is missing")
    label = TRUTH.solution(str(row["true_label"]), where=where)
    aligns, kind = row["aligns"], row["type"]
    if not (aligns is None and row.get("missing")) and not isinstance(aligns, bool):
        raise UserError(f"{where}: aligns is {aligns!r}, expected true or false")
    if known and (kind is not None) != (aligns is False):
        raise UserError(f"{where}: type is {kind!r} where aligns is {aligns}; type is null exactly when aligned")
    if kind is not None and kind not in known:
        raise UserError(f"{where}: unknown type {kind!r}; known: {', '.join(known) or 'none'}")
    answer = "" if row["final_ans"] is None else str(row["final_ans"])
    return JudgedItem(
        item=str(row["index"]),
        model=str(row["model"]),
        label=label,
        answer=answer,
        correct=is_answer_correct(answer, label, rule),
        aligns=aligns,
        type=kind,
        where=where,
        missing=row.get("missing"),
    )


def with_responses(items: list[JudgedItem], model: str, path: Path, rule: AnswerRule) -> list[JudgedItem]:
    """Take the correctness of `model`'s items from its response file (original's layout, or our generations.jsonl)."""
    responses = _responses(path)
    joined = []
    for item in items:
        if item.model != model:
            joined.append(item)
            continue
        if item.item not in responses:
            raise UserError(f"{item.where}: item {item.item} of {model} is not in {path}")
        label, text, where = responses[item.item]
        if label != item.label:
            raise UserError(f"{item.where}: label {item.label}, but {where} says {label}; the files are of two splits")
        joined.append(_corrected(item, is_correct(text, label, rule)))
    unjudged = responses.keys() - {item.item for item in items if item.model == model}
    if unjudged:
        raise UserError(f"{path}: {len(unjudged)} rows of {model} have no verdict, for example row {min(unjudged)}")
    return joined


def _corrected(item: JudgedItem, correct: bool | None) -> JudgedItem:
    return JudgedItem(
        item.item, item.model, item.label, item.answer, correct, item.aligns, item.type, item.where, item.missing
    )


def _responses(path: Path) -> dict[str, tuple[bool, str, str]]:
    if is_json_list(path):
        rows = [
            (str(i), row.get("true_response"), row.get("predicted_response"), f"{path} row {i}")
            for i, row in enumerate(read_json_list(path))
        ]
    else:
        rows = [
            (str(row.get("id", row.get("row_id"))), row.get("solution"), row.get("text"), f"{path} line {number}")
            for number, row in jsonl.read_input(path)
        ]
    responses: dict[str, tuple[bool, str, str]] = {}
    for item, truth, text, where in rows:
        if truth is None or text is None:
            raise UserError(f"{where}: neither true_response/predicted_response nor id/solution/text")
        if item in responses:
            raise UserError(f"{where}: this row occurs twice")
        responses[item] = (TRUTH.solution(str(truth), where=where), str(text), where)
    return responses


def is_json_list(path: Path) -> bool:
    """True when the file opens a JSON list (the original's layouts), False for JSONL."""
    if not path.exists():
        raise UserError(f"{path} does not exist")
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.strip():
                return line.lstrip().startswith("[")
    raise UserError(f"{path} is empty")


def read_json_list(path: Path) -> list[dict[str, Any]]:
    """Parse a JSON list of objects, with one clear line when it is damaged."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: damaged JSON ({error})") from None
    for number, row in enumerate(value):
        if not isinstance(row, dict):
            raise UserError(f"{path} row {number}: expected a JSON object, found {type(row).__name__}")
    return value
