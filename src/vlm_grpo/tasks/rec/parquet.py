"""RefCOCO, RefCOCO+ and RefCOCOg as lmms-lab keeps them on the hub: parquet files with the pictures inside.

Columns `question_id`, `image` ({bytes, path}), `answer` (a list of expressions) and `bbox` ([x, y, width, height] in
pixels). Each expression is a question of its own, as lmms-eval asks them. A picture that stands in several rows is kept
once, known by its content.
"""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from datasets import Image, load_dataset

from vlm_grpo.errors import UserError
from vlm_grpo.tasks.rec.example import Example, Unusable, box_of_sides
from vlm_grpo.tasks.rec.source import Named, Source, dropped
from vlm_grpo.tasks.rec.task import problem

COLUMNS = ("question_id", "image", "answer", "bbox")
SUFFIXES = {b"\xff\xd8\xff": ".jpg", b"\x89PNG": ".png"}


def read(files: Sequence[Named], *, scratch: Path, limit: int | None) -> Source:
    """The examples of `files`; their pictures are unpacked to `scratch`. Of each file the first `limit` expressions."""
    examples: list[Example] = []
    left_out = []
    for file in files:
        taken = 0
        for number, record in _records(file.path):
            expressions = record["answer"] if isinstance(record["answer"], list) else [record["answer"]]
            for at, expression in enumerate(expressions):
                if limit is not None and taken == limit:
                    break
                taken += 1
                id = f"{file.label}-{record['question_id']}-{at}"
                try:
                    examples.append(_example(id, file, record, expression, scratch))
                except Unusable as reason:
                    left_out.append(dropped(file.split, id, f"row {number}: {reason}"))
    return Source.of("lmms-lab parquet", {f.named: f.path for f in files}, examples, left_out, config={"limit": limit})


def _records(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if not path.is_file():
        raise UserError(f"{path} is missing; give a parquet file")
    try:
        table = load_dataset("parquet", data_files=str(path), split="train", streaming=True)
        if missing := [name for name in COLUMNS if name not in table.features]:
            raise UserError(f"{path} has no column {missing[0]!r}; lmms-lab's have {', '.join(COLUMNS)}")
        if isinstance(table.features["image"], Image):
            table = table.cast_column("image", Image(decode=False))
        yield from enumerate(table.select_columns(list(COLUMNS)))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as parquet ({' '.join(str(error).split())}); fetch it again") from None


def _example(id: str, file: Named, record: Mapping[str, Any], expression: Any, scratch: Path) -> Example:
    if not isinstance(expression, str) or not expression.strip():
        raise Unusable("the expression is empty")
    words = " ".join(expression.split())
    picture = _unpacked(record["image"], scratch)
    return Example(
        split=file.split,
        id=id,
        picture=picture,
        place=f"images/{picture.name}",
        expression=words,
        problem=problem(words),
        box=box_of_sides(record["bbox"]),
        columns={"set": file.set},
    )


def _unpacked(image: Any, scratch: Path) -> Path:
    content = image.get("bytes") if isinstance(image, Mapping) else None
    if not content:
        raise Unusable("no picture stands in its column 'image'")
    suffix = next((suffix for start, suffix in SUFFIXES.items() if content.startswith(start)), ".img")
    path = scratch / f"{sha256(content).hexdigest()[:20]}{suffix}"
    if not path.exists():
        path.write_bytes(content)
    return path
