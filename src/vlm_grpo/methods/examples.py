"""The rows a run trains on, and the `datasets.Dataset` that TRL's trainers read.

Rows are drawn with their own seed before anything else happens, so a resumed run sees the rows it started with.
Pictures are opened when a batch is made, not before, and once for all of its rows and for the batch after it.
"""

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from datasets import Dataset
from PIL import Image

from vlm_grpo.errors import UserError
from vlm_grpo.rewards.base import ROW, VIEW
from vlm_grpo.rows.pictures import open_picture
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.asking import content, question
from vlm_grpo.tasks.registry import task_of
from vlm_grpo.tasks.view import AS_IS, View

TRACE = "trace"
"""Column of a teacher's words (`soft_prompt_data`), and the target that teaches them."""


def draw(rows: list[Row], *, count: int | None, seed: int, where: str) -> list[Row]:
    """`count` rows without replacement in a seeded order, or all of them in order when `count` is None."""
    if count is None:
        return rows
    if not 0 < count <= len(rows):
        raise UserError(f"{where} has {len(rows)} rows, num_rows asks for {count}; lower num_rows or leave it unset")
    return random.Random(seed).sample(rows, count)


def by_curriculum(rows: list[Row], *, column: str, seed: int, where: str) -> list[Row]:
    """`rows` with low values of their `column` first, in a seeded order among equal ones; a number in every row."""
    for row in rows:
        value = row.meta.get(column)
        if not isinstance(value, int | float):
            raise UserError(
                f"{where} row {row.id}: curriculum {column!r} needs a column of numbers, here it is {value!r}; its "
                f"columns: {', '.join(row.meta) or 'none'}"
            )
    shuffled = random.Random(seed).sample(rows, len(rows))
    return sorted(shuffled, key=lambda row: row.meta[column])


def grpo_dataset(rows: list[Row], *, root: Path, prompt: str, views: Mapping[str, View]) -> Dataset:
    """The rows as TRL's GRPO trainer reads them; `views` say how the model sees each row's pictures, by row id.

    Columns `prompt` (one user turn), `images` (PIL, opened lazily), `row` and `view` (JSON, for the rewards), `id`,
    `task`, `image_files`.
    """
    return _lazy(
        [
            _common(row, prompt, views[row.id]) | {ROW: row.model_dump_json(), VIEW: views[row.id].model_dump_json()}
            for row in rows
        ],
        root,
    )


def sft_dataset(
    rows: list[Row], *, root: Path, prompt: str, target: str, views: Mapping[str, View] | None = None
) -> Dataset:
    """Columns `prompt`, `completion` (the assistant's answer in the task's wording `target`) and `images`.

    `views` say how the model sees each row's pictures, by row id; without them its frame is the pictures' own.
    """
    seen = {row.id: (views or {}).get(row.id, AS_IS) for row in rows}

    def completion(row: Row) -> list[dict[str, str]]:
        return [{"role": "assistant", "content": wanted(row, target, seen[row.id])}]

    return _lazy([_common(row, prompt, seen[row.id]) | {"completion": completion(row)} for row in rows], root)


def wanted(row: Row, target: str, view: View = AS_IS) -> str:
    """What the assistant is taught to say to `row`: a wording of its task, or with `TRACE` what a teacher said."""
    if target != TRACE:
        return task_of(row).target(row, target, view)
    trace = row.meta.get(TRACE)
    if not isinstance(trace, str) or not trace:
        raise UserError(
            f"row {row.id} has no column {TRACE!r}, which target: {TRACE} teaches; build the data set with python -m "
            "vlm_grpo.methods.soft_prompt_data"
        )
    return trace


def _common(row: Row, prompt: str, view: View) -> dict[str, Any]:
    return {
        "id": row.id,
        "task": row.task,
        "prompt": [{"role": "user", "content": question(row, template=prompt, view=view)}],
        "image_files": list(row.images),
    }


def _lazy(records: list[dict[str, Any]], root: Path) -> Dataset:
    return Dataset.from_list(records).with_transform(_image_opener(root))


def _image_opener(root: Path) -> Callable[[dict[str, list[Any]]], dict[str, list[Any]]]:
    opened: dict[str, Image.Image] = {}

    def open_batch(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        if "image_files" not in batch:
            return batch
        names = dict.fromkeys(name for files in batch["image_files"] for name in files)
        newest = {name: opened.get(name) or open_picture(root, name) for name in names}
        opened.clear()
        opened.update(newest)
        rows = zip(batch["prompt"], batch["task"], batch["image_files"], strict=True)
        return {
            **batch,
            "prompt": [
                [{**turn, "content": content(turn["content"], task=task, images=len(files))} for turn in turns]
                for turns, task, files in rows
            ],
            "images": [[opened[name] for name in files] for files in batch["image_files"]],
        }

    return open_batch
