"""Reading verdicts: the stored ones of the study, our `verdicts.jsonl`, and the original's JSON layouts.

    stored      results/paper/alignment/<split>.tsv (index, model, true_label, final_ans, aligns, type)
    ours        JSONL written by alignment_judge/judge.py
    original    a JSON list of {index, model, question, true_label, image_url, reasoning, final_ans, aligns, type, why}
    responses   a JSON list of {true_response, predicted_response}, by position: where correctness is read when given

Rows that break a layout are refused with file and row. Sets that are not whole are the business of `checks`.
"""

import codecs
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from vlm_grpo import text_files
from vlm_grpo.alignment.answer_rules import AnswerRule, is_answer_correct, is_correct
from vlm_grpo.alignment.fields import check_fields
from vlm_grpo.alignment.items import JudgedItem
from vlm_grpo.errors import UserError
from vlm_grpo.store import jsonl
from vlm_grpo.tasks.answers.truth import TRUTH
from vlm_grpo.verdicts import kinds

STORED_COLUMNS = ["index", "model", "true_label", "final_ans", "aligns", "type"]


def read_stored(path: Path, rule: AnswerRule) -> list[JudgedItem]:
    """Read one stored TSV of the study."""
    if not path.exists():
        raise UserError(f"{path} is missing; name the folder results/paper of a checkout with --paper")
    header, *lines = [line.split("\t") for line in text_files.read_lines(path)] or [[]]
    if header != STORED_COLUMNS:
        raise UserError(f"{path} line 1: columns {header}, expected {STORED_COLUMNS}")
    items = []
    for number, cells in enumerate(lines, start=2):
        where = f"{path} line {number}"
        if len(cells) != len(STORED_COLUMNS):
            raise UserError(f"{where}: {len(cells)} values, expected {len(STORED_COLUMNS)}; restore the file")
        row = dict(zip(STORED_COLUMNS, cells, strict=True))
        aligns = {"true": True, "false": False}.get(row["aligns"])
        kind = None if row["type"] == "-" else row["type"]
        items.append(_item({**row, "aligns": aligns, "type": kind}, rule, kinds.PUBLISHED, where))
    return items


def read_verdicts(path: Path, rule: AnswerRule | None, *, repeat: int = 0) -> list[JudgedItem]:
    """Read a verdict file in our layout or the original's.

    Without `rule`, the original's answers are read as published; ours say whether they are right, and those of earlier
    versions, which do not, are read strictly. Of our files only the verdicts of one `repeat` (from 0) are taken.
    """
    rows = read_rows(path)
    if is_json_list(path):
        return [_item(row, rule or "published", kinds.PUBLISHED, where) for where, row in rows]
    rows = [(where, row) for where, row in rows if row.get("repeat", 0) == repeat]
    if not rows:
        raise UserError(f"{path} holds no verdict of repeat {repeat}; judge with more --repeats, or show another one")
    known = kinds_of(path)
    return [_item(_our_row(row, where), rule, known, where) for where, row in rows]


def kinds_of(path: Path) -> dict[str, str]:
    """The kinds of misalignment, name to meaning, that the judge of a verdict file was asked for.

    `UserError` when its verdicts answer several prompts: their types and rates are not of one table.
    """
    if is_json_list(path):
        return dict(kinds.PUBLISHED)
    asked: dict[tuple[str, ...], dict[str, str]] = {}
    for where, row in read_rows(path):
        known = kinds.of_record(row, where)
        asked[str(row.get("prompt")), str(row.get("prompt_hash")), *known] = known
        if len(asked) > 1:
            first, other = (f"prompt {prompt} ({', '.join(names) or 'no types'})" for prompt, _, *names in asked)
            raise UserError(f"{where}: {other}, but {first} before; put each prompt's verdicts in a file")
    return next(iter(asked.values()))


def judges_of(path: Path) -> str:
    """Name the judge(s) of a verdict file of ours; the original's layout does not say."""
    if is_json_list(path):
        return "not stated in the file"
    names = {f"{row['judge']} ({row.get('prompt')} prompt)" for _, row in read_rows(path) if row.get("judge")}
    return ", ".join(sorted(names)) or "not stated in the file"


def _our_row(row: dict[str, Any], where: str) -> dict[str, Any]:
    check_fields(row, where, "row_id", "label", "answer")
    return {**row, "index": row.get("row_id"), "true_label": row.get("label"), "final_ans": row.get("answer")}


def _item(row: Mapping[str, Any], rule: AnswerRule | None, known: kinds.Kinds, where: str) -> JudgedItem:
    check_fields(row, where, *STORED_COLUMNS)
    aligns, kind = row["aligns"], row["type"]
    if not (aligns is None and row.get("missing")) and not isinstance(aligns, bool):
        raise UserError(f"{where}: aligns is {aligns!r}, expected true or false")
    if known and (kind is not None) != (aligns is False):
        raise UserError(f"{where}: type is {kind!r} where aligns is {aligns}; type is null exactly when aligned")
    if kind is not None and kind not in known:
        raise UserError(f"{where}: unknown type {kind!r}; known: {', '.join(known) or 'none'}")
    answer = "" if row["final_ans"] is None else str(row["final_ans"])
    truth, correct, read_by = _graded(row, answer, rule, where)
    return JudgedItem(
        item=str(row["index"]),
        model=str(row["model"]),
        truth=truth,
        answer=answer,
        correct=correct,
        rule=read_by,
        aligns=aligns,
        type=kind,
        where=where,
        missing=row.get("missing"),
    )


def _graded(row: Mapping[str, Any], answer: str, rule: AnswerRule | None, where: str) -> tuple[str, bool | None, str]:
    """The true answer, whether `answer` is right, and the rule that says so: `rule`, else the verdict's own."""
    if rule is None and row.get("rule") is not None:
        check_fields(row, where, "right")
        return str(row["true_label"]), row["right"], row["rule"]
    rule = rule or "strict"
    label = TRUTH.solution(str(row["true_label"]), where=where)
    return str(label), is_answer_correct(answer, label, rule), rule


def with_responses(items: list[JudgedItem], model: str, path: Path, rule: AnswerRule | None) -> list[JudgedItem]:
    """Take the correctness of `model`'s items from its response file (original's layout, or our generations.jsonl).

    Without `rule`, responses are read as the items' answers were.
    """
    responses = _responses(path)
    joined = []
    for item in items:
        if item.model != model:
            joined.append(item)
            continue
        if item.item not in responses:
            raise UserError(f"{item.where}: item {item.item} of {model} is not in {path}")
        label, text, where = responses[item.item]
        if str(label) != item.truth:
            raise UserError(f"{item.where}: label {item.truth}, but {where} says {label}; the files are of two splits")
        read_by = rule or _named(item.rule)
        joined.append(replace(item, correct=is_correct(text, label, read_by), rule=read_by))
    unjudged = responses.keys() - {item.item for item in items if item.model == model}
    if unjudged:
        raise UserError(f"{path}: {len(unjudged)} rows of {model} have no verdict, for example row {min(unjudged)}")
    return joined


def _named(rule: str) -> AnswerRule:
    """The rule for responses, with or without tags, that reads answers as an evaluation's `rule` does."""
    return "published" if rule == "published" else "relaxed" if rule.endswith("relaxed") else "strict"


def _responses(path: Path) -> dict[str, tuple[bool, str, str]]:
    numbered = is_json_list(path)
    truth_name, text_name = ("true_response", "predicted_response") if numbered else ("solution", "text")
    responses: dict[str, tuple[bool, str, str]] = {}
    for number, (where, row) in enumerate(read_rows(path)):
        id_name = "id" if "id" in row else "row_id"
        check_fields(row, where, truth_name, text_name, *([] if numbered else [id_name]))
        item = str(number if numbered else row[id_name])
        if item in responses:
            raise UserError(f"{where}: row {item!r} occurs twice; remove one of them")
        responses[item] = (TRUTH.solution(str(row[truth_name]), where=where), row[text_name], where)
    return responses


def is_json_list(path: Path) -> bool:
    """True when the file opens a JSON list (the original's layouts), False for JSONL."""
    if not path.exists():
        raise UserError(f"{path} does not exist; check the path")
    content = text_files.read_bytes(path).removeprefix(codecs.BOM_UTF8).lstrip()
    if not content:
        raise UserError(f"{path} is empty; nothing could be counted in it")
    return content.startswith(b"[")


def read_rows(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """The rows of a JSON list or of JSONL, each behind its place (file and row or line), their fields checked."""
    if is_json_list(path):
        rows = [(f"{path} row {number}", row) for number, row in enumerate(jsonl.read_list(path))]
    else:
        rows = [(f"{path} line {number}", row) for number, row in jsonl.read_input(path)]
    for where, row in rows:
        check_fields(row, where)
    return rows
