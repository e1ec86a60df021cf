"""Completions of a teacher: several samples a row, asked in the template that makes the teacher reason.

Each pass over the rows is one sample a row. Samples are written down batch by batch, so a run that was cut off goes on;
a batch's draws depend on the seed, the pass and the batch's rows alone. The engine decodes where it serves the model
and the family caches keys, else transformers' `generate` does.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from vlm_grpo.methods.soft_prompt.asked_teacher import Teacher
from vlm_grpo.progress import progress
from vlm_grpo.store import jsonl
from vlm_grpo.tasks.asking import AskedRow

FILE = "samples.jsonl"
"""One line a sample: `id`, `number` of the pass, `text`, `is_ended` (by itself, and not cut off)."""


def sample(
    teacher: Teacher,
    asked: Sequence[AskedRow],
    *,
    root: Path,
    out: Path,
    passes: int,
    batch_size: int,
    temperature: float,
    most: int,
    seed: int,
) -> None:
    """Append to `out`/samples.jsonl what it lacks of `passes` samples of each of `asked`."""
    done = {(line["number"], line["id"]) for line in jsonl.read(out / FILE)}
    batches = [
        (number, asked[start : start + batch_size])
        for number in range(passes)
        for start in range(0, len(asked), batch_size)
    ]
    missing = [(number, batch) for number, batch in batches if any((number, a.row.id) not in done for a in batch)]

    def answered(file: jsonl.Appender) -> Iterator[None]:
        for number, batch in missing:
            torch.manual_seed(_seed(seed, number, batch))
            said = teacher.say(batch, root=root, temperature=temperature, most=most)
            lines = [_line(teacher, number, a, ids) for a, ids in zip(batch, said, strict=True)]
            file.append(line for line in lines if (number, line["id"]) not in done)
            yield

    with jsonl.Appender(out / FILE) as file:
        for _ in progress(answered(file), total=len(missing), label="sampling"):
            pass


def _seed(seed: int, number: int, batch: Sequence[AskedRow]) -> int:
    words = f"{seed}:{number}:{','.join(asked.row.id for asked in batch)}"
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:4], "big")


def _line(teacher: Teacher, number: int, asked: AskedRow, ids: list[int]) -> dict[str, Any]:
    text = teacher.processor.tokenizer.decode(ids, skip_special_tokens=True)
    return {"id": asked.row.id, "number": number, "text": text, "is_ended": bool(ids) and ids[-1] in teacher.ends}
