"""The model, the adapter and the rows of an evaluation, vetted before any weight is loaded."""

import random
from dataclasses import dataclass
from pathlib import Path

from vlm_grpo.adapters.checkpoint import Checkpoint, open_checkpoint
from vlm_grpo.adapters.lora import LoraAdapter, open_lora
from vlm_grpo.datasets import store
from vlm_grpo.datasets.images import open_image
from vlm_grpo.datasets.records import Row
from vlm_grpo.evaluation.answers import solution_value
from vlm_grpo.evaluation.settings import EvaluationArguments


@dataclass(frozen=True)
class Inputs:
    """The vetted model, its adapter if any, the rows to answer, and how many the split has."""

    model: Checkpoint
    adapter: LoraAdapter | None
    rows: list[Row]
    split_rows: int


def open_inputs(settings: EvaluationArguments) -> Inputs:
    """Vet model, adapter, rows and pictures (present and not empty); every mistake in them is one line."""
    lora = open_lora(Path(settings.adapter), base=settings.model) if settings.adapter else None
    model = lora.base if lora else open_checkpoint(settings.model)
    model.adapter.image_settings(**settings.image_options)
    rows = store.load(settings.root, settings.split)
    chosen = draw(rows, limit=settings.limit, seed=settings.seed)
    for row in chosen:
        solution_value(row.solution, where=f"{settings.root} split {settings.split!r} row {row.id}")
    for name in {image for row in chosen for image in row.images}:
        path = settings.root / name
        if not path.is_file() or path.stat().st_size == 0:
            open_image(path)
    return Inputs(model, lora, chosen, len(rows))


def draw(rows: list[Row], *, limit: int | None, seed: int) -> list[Row]:
    """`limit` rows drawn with `seed`, in the split's order; all of them when `limit` is None or as large."""
    if limit is None or limit >= len(rows):
        return rows
    kept = random.Random(seed).sample(range(len(rows)), limit)
    return [rows[index] for index in sorted(kept)]
