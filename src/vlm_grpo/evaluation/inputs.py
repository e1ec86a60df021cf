"""The model, the adapter and the rows of an evaluation, vetted before a folder is claimed or a weight is loaded."""

import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlm_grpo.adapters.askable import Askable, check_askable
from vlm_grpo.adapters.checkpoint import Checkpoint, open_checkpoint
from vlm_grpo.adapters.files import model_type
from vlm_grpo.adapters.lengths import PromptLengths, check_lengths, context_length
from vlm_grpo.adapters.lora import LoraAdapter, open_lora
from vlm_grpo.environments.base import Environment, Protocol
from vlm_grpo.environments.native import NativeCalls
from vlm_grpo.environments.registry import settled
from vlm_grpo.errors import UserError
from vlm_grpo.evaluation import batches, rows
from vlm_grpo.evaluation.as_trained import Settled, settle
from vlm_grpo.evaluation.controls import shown_instead
from vlm_grpo.evaluation.graded import check_judge
from vlm_grpo.evaluation.settings import EvaluationArguments
from vlm_grpo.rows import dataset
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
        environment: what answers the model within its completion; None: nothing.
        native: its tools where the model calls them by its chat template; None: the two talk in texts.
    """

    settled: Settled
    model: Checkpoint
    adapter: LoraAdapter | None
    rows: list[Row]
    split_rows: int
    asked: list[AskedRow]
    views: dict[str, View]
    environment: Environment | None = None
    native: NativeCalls | None = None

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
    as_trained = settle(settings, given=given, model=model, adapter=lora)
    settings, processor = as_trained.settings, as_trained.processor
    where = f"{settings.root} split {settings.split!r}"
    chosen, split_rows = rows.load(settings.root, settings.split, limit=settings.limit, seed=settings.seed)
    if repeated := dataset.stored_rows(settings.root, settings.split) - split_rows:
        print(f"{where}: {repeated} rows ask what another one asks; each question is asked once", file=sys.stderr)
    if row_id is not None:
        chosen = rows.named(chosen, row_id, where=where)
    check_solutions(chosen, where=where)
    check_judge(settings, chosen, where=where)
    check_pictures(chosen, root=settings.root)
    shown = shown_instead(chosen, control, seed=settings.seed, where=where)
    environment, protocol = _environment(settings, model)
    native = NativeCalls(environment, processor) if environment is not None and protocol == "native" else None
    if environment is not None:
        shown = [environment.asked(row, root=settings.root, protocol=protocol) for row in shown]
    check_askable(shown, Askable(model.adapter, processor, root=settings.root, texts=texts), where=where)
    seen = views(shown, root=settings.root, adapter=model.adapter, processor=processor)
    lengths = PromptLengths(model.adapter, processor, root=settings.root, ask=asker(settings.prompt, seen))
    check_lengths(shown, lengths, limit=context_length(model.path) - settings.max_new_tokens, where=where)
    described = native.rendering if native is not None else {}
    asked = batches.longest_first(render(shown, processor, template=settings.prompt, views=seen, **described), lengths)
    return EvaluationInputs(as_trained, model, lora, chosen, split_rows, asked, seen, environment, native)


def _environment(settings: EvaluationArguments, model: Checkpoint) -> tuple[Environment | None, Protocol]:
    """What answers the model, and how the two talk."""
    if settings.played is not None:
        return settled(settings.played, model_type=model_type(model.path), model=model.name)
    if settings.max_tool_calling_iterations is not None:
        raise UserError("setting 'max_tool_calling_iterations' has no effect without an environment; remove it")
    return None, "text"
