"""The model, the adapter and the rows of an evaluation, vetted before any weight is loaded."""

from dataclasses import dataclass
from pathlib import Path

from vlm_grpo.adapters.checkpoint import Checkpoint, open_checkpoint
from vlm_grpo.adapters.lora import LoraAdapter, open_lora
from vlm_grpo.datasets.images import open_image
from vlm_grpo.datasets.records import Row
from vlm_grpo.evaluation import rows
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
    chosen, split_rows = rows.load(settings.root, settings.split, limit=settings.limit, seed=settings.seed)
    for row in chosen:
        solution_value(row.solution, where=f"{settings.root} split {settings.split!r} row {row.id}")
    for name in {image for row in chosen for image in row.images}:
        path = settings.root / name
        if not path.is_file() or path.stat().st_size == 0:
            open_image(path)
    return Inputs(model, lora, chosen, split_rows)
