"""Rows and generations made by hand, for whatever reads them without a model."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from vlm_grpo.evaluation.arms import KIND, SCORES
from vlm_grpo.evaluation.generations import FILE, Generation
from vlm_grpo.evaluation.outcomes import judge_rows, write
from vlm_grpo.evaluation.scores import score
from vlm_grpo.rows import dataset
from vlm_grpo.rows.records import Row
from vlm_grpo.store import atomic, jsonl, manifest

TEXT = {
    True: "<think> It is. </think> <answer> True </answer>",
    False: "<think> It is not. </think> <answer> False </answer>",
    None: "<think> It may be. </think> <answer> both",
}


def make_row(number: int, solution: bool, relation: str | None = None) -> Row:
    """A row whose true answer is `solution`."""
    return Row(
        id=f"r{number}",
        images=("images/red.png",),
        problem="Is the following statement true: The red circle is here.",
        solution=f"<answer> {solution} </answer>",
        task="vsr",
        meta={} if relation is None else {"relation": relation},
    )


def make_generation(row: Row, answer: bool | None, **changes: Any) -> Generation:
    """A completion of `row` that answers True, False or (None) unreadably."""
    fields = {
        "id": row.id,
        "split": "validation",
        "model": "m",
        "model_fingerprint": "f",
        "adapter_fingerprint": None,
        "prompt": "reason",
        "sampling": {},
        "images": row.images,
        "problem": row.problem,
        "solution": row.solution,
        "prompt_hash": "h",
        "text": TEXT[answer],
        "prompt_tokens": 10,
        "completion_tokens": 4,
        "finish_reason": "stop",
    }
    return Generation(**(fields | changes))


def save_tiny_arm(folder: Path, data: Path, *, right: Collection[int], **changes: Any) -> Path:
    """Write a finished evaluation of `data`'s validation split to `folder`: right for the rows numbered in `right`.

    `changes` are fields of every generation, `text` for example.
    """
    truths = {row.id: "True" in row.solution for row in dataset.load(data, "validation")}
    answers = {id: truth if number in right else not truth for number, (id, truth) in enumerate(truths.items())}
    return save_arm(folder, data, answers, **changes)


def save_arm(folder: Path, data: Path, answers: Mapping[str, bool | str | None], **changes: Any) -> Path:
    """Write a finished evaluation of `data` to `folder`, with `answers` by row id; `split` is a change among others.

    An answer that is a text is the whole completion.
    """
    split = changes.setdefault("split", "validation")
    rows = dataset.load(data, split)
    said = {}
    for row in rows:
        answer = answers[row.id]
        is_text = isinstance(answer, str)
        text = {"text": answer} if is_text else {}
        said[row.id] = make_generation(row, None if is_text else answer, **changes, **text)
    with jsonl.Appender(folder / FILE) as file:
        file.append(generation.model_dump(mode="json") for generation in said.values())
    asked = {"split": split, "split_rows": len(rows), "limit": None, "prompt": "reason", "answers": "strict"}
    outcomes = judge_rows(said, rows, rule="strict", where=folder / FILE)
    write(folder, outcomes, rows, rule="strict")
    atomic.write_json(folder / SCORES, asked | score(said, rows, outcomes))
    config = {"model": "m", "adapter": None, "data": str(data), "seed": 42, **asked}
    manifest.write(
        folder,
        kind=KIND,
        config=config,
        inputs={"rows": dataset.fingerprint(rows)},
        counts={"rows": len(rows)},
        seconds=1.5,
    )
    return folder
