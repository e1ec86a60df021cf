"""The model, the adapter and the rows of an evaluation, vetted before a folder is claimed or a weight is loaded."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlm_grpo.adapters.askable import Askable, check_askable
from vlm_grpo.adapters.checkpoint import Checkpoint, open_checkpoint
from vlm_grpo.adapters.lengths import PromptLengths, check_lengths, context_length
from vlm_grpo.adapters.lora import LoraAdapter, open_lora
from vlm_grpo.evaluation import batches, rows
from vlm_grpo.evaluation.as_trained import Settled, settle
from vlm_grpo.evaluation.controls import shown_instead
from vlm_grpo.evaluation.settings import EvaluationArguments
from vlm_grpo.rows.pictures import check_pictures
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.asking import AskedRow, asker, render, texts
from vlm_grpo.tasks.registry import check_solutions
from vlm_grpo.tasks.view import View, views


@dataclass(frozen=True)
class EvaluationInputs:
    """What is asked of which model.

    Attributes:
        settled: the evaluation's settings, completed by how the model's training asked, and its processor.
        model: the vetted checkpoint.
        adapter: the LoRA adapter to put on it, if any.
        rows: the rows to answer, in the split's order, of the `split_rows` that the split has.
        asked: the rows as prompts, longest first, each with the pictures that are shown.
        views: how the model sees the pictures of each row, by row id.
    """

    settled: Settled
    model: Checkpoint
    adapter: LoraAdapter | None
    rows: list[Row]
    split_rows: int
    asked: list[AskedRow]
    views: dict[str, View]

    @property
    def processor(self) -> Any:
        """What prepares prompts and pictures."""
        return self.settled.processor


def open_inputs(
    settings: EvaluationArguments,
    *,
    given: Collection[str] | None = None,
    row_id: str | None = None,
    control: str | None = None,
) -> EvaluationInputs:
    """Vet model, adapter, rows, pictures, texts and lengths; every mistake in them is one line.

    `given` are the settings that the user set; None takes those whose values are not the defaults. With a `row_id`
    only that row is asked. `control` says what is shown in place of the rows' pictures.
    """
    lora = open_lora(Path(settings.adapter), base=settings.model) if settings.adapter else None
    model = lora.base if lora else open_checkpoint(settings.model)
    settled = settle(settings, given=given, model=model, adapter=lora)
    settings, processor = settled.settings, settled.processor
    where = f"{settings.root} split {settings.split!r}"
    chosen, split_rows = rows.load(settings.root, settings.split, limit=settings.limit, seed=settings.seed)
    if row_id is not None:
        chosen = rows.named(chosen, row_id, where=where)
    check_solutions(chosen, where=where)
    check_pictures(chosen, root=settings.root)
    shown = shown_instead(chosen, control, seed=settings.seed, where=where)
    check_askable(shown, Askable(model.adapter, processor, root=settings.root, texts=texts), where=where)
    seen = views(shown, root=settings.root, adapter=model.adapter, processor=processor)
    lengths = PromptLengths(model.adapter, processor, root=settings.root, ask=asker(settings.prompt, seen))
    check_lengths(shown, lengths, limit=context_length(model.path) - settings.max_new_tokens, where=where)
    asked = batches.longest_first(render(shown, processor, template=settings.prompt, views=seen), lengths)
    return EvaluationInputs(settled, model, lora, chosen, split_rows, asked, seen)
