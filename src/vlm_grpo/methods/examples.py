"""The rows a run trains on, and the `datasets.Dataset` that TRL's trainers read.

Rows are drawn with their own seed before anything else happens, so a resumed run sees the rows it started with.
Pictures are opened when a batch is made, not before.
"""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from datasets import Dataset

from vlm_grpo import prompts
from vlm_grpo.errors import UserError
from vlm_grpo.rows.pictures import open_picture
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.truth import solution_value

TARGETS: dict[str, tuple[str, str]] = {
    "bare": ("True", "False"),
    "yes_no": ("Yes.", "No."),
    "tagged": ("<answer> True </answer>", "<answer> False </answer>"),
}


def draw(rows: list[Row], *, count: int | None, seed: int, where: str) -> list[Row]:
    """`count` rows without replacement in a seeded order, or all of them in order when `count` is None."""
    if count is None:
        return rows
    if not 0 < count <= len(rows):
        raise UserError(f"{where} has {len(rows)} rows, num_rows asks for {count}; lower num_rows or leave it unset")
    return random.Random(seed).sample(rows, count)


def check_solutions(rows: list[Row], *, where: str) -> None:
    """`UserError` naming the first row whose solution is neither True nor False."""
    for row in rows:
        solution_value(row.solution, where=f"{where} row {row.id}")


def grpo_dataset(rows: list[Row], *, root: Path, prompt: str) -> Dataset:
    """Columns `prompt` (one user turn), `images` (PIL, opened lazily), `solution`, `id`, `task`, `image_files`."""
    return _lazy([_common(row, prompt) | {"solution": row.solution} for row in rows], root)


def sft_dataset(rows: list[Row], *, root: Path, prompt: str, target: str) -> Dataset:
    """Columns `prompt`, `completion` (the assistant's answer in the wording `target`) and `images`."""
    if target not in TARGETS:
        raise UserError(f"unknown target {target!r}; known: {', '.join(TARGETS)}")
    wording = TARGETS[target]

    def completion(row: Row) -> list[dict[str, str]]:
        is_true = solution_value(row.solution, where=f"row {row.id}")
        return [{"role": "assistant", "content": wording[0] if is_true else wording[1]}]

    return _lazy([_common(row, prompt) | {"completion": completion(row)} for row in rows], root)


def _common(row: Row, prompt: str) -> dict[str, Any]:
    return {
        "id": row.id,
        "task": row.task,
        "prompt": [{"role": "user", "content": prompts.render(prompt, row.problem)}],
        "image_files": list(row.images),
    }


def _lazy(records: list[dict[str, Any]], root: Path) -> Dataset:
    return Dataset.from_list(records).with_transform(_image_opener(root))


def _image_opener(root: Path) -> Callable[[dict[str, list[Any]]], dict[str, list[Any]]]:
    def open_batch(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        if "image_files" not in batch:
            return batch
        return {**batch, "images": [[open_picture(root, name) for name in files] for files in batch["image_files"]]}

    return open_batch
