"""What a training starts from and learns from: the vetted base, and the drawn rows that it can be asked."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from vlm_grpo.adapters.askable import Askable, check_askable
from vlm_grpo.adapters.checkpoint import Checkpoint, open_checkpoint
from vlm_grpo.adapters.lengths import PromptLengths, check_lengths, context_length
from vlm_grpo.methods import examples, placement, preview
from vlm_grpo.methods.arguments import GRPOArguments, SFTArguments, StudyArguments
from vlm_grpo.methods.asked import tell_other_pictures
from vlm_grpo.rows import dataset
from vlm_grpo.rows.pictures import check_pictures
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks import asking
from vlm_grpo.tasks.registry import check_solutions
from vlm_grpo.tasks.view import views


@dataclass(frozen=True)
class DrawnRows:
    """The rows of a run: the data set's root, the rows in order and their fingerprint.

    `where` says which they are, to open an error's line.
    """

    where: str
    root: Path
    rows: list[Row]
    fingerprint: str


@dataclass(frozen=True)
class TrainingInputs:
    """The vetted base and the vetted rows."""

    base: Checkpoint
    data: DrawnRows

    def with_rows(self, rows: list[Row]) -> "TrainingInputs":
        """The same with `rows` in place of its own."""
        return replace(self, data=replace(self.data, rows=rows, fingerprint=dataset.fingerprint(rows)))


def open_inputs(study: StudyArguments) -> TrainingInputs:
    """Vet the base and the rows; every mistake in either is told before any weight is loaded."""
    return TrainingInputs(base=open_checkpoint(study.model), data=open_rows(study))


def open_rows(study: StudyArguments) -> DrawnRows:
    """Draw the rows and check their solutions and pictures."""
    root = Path(study.data)
    where = f"{root} split {study.split!r}"
    drawn = examples.draw(dataset.load(root, study.split), count=study.num_rows, seed=study.row_seed, where=where)
    check_solutions(drawn, where=where)
    check_pictures(drawn, root=root)
    return DrawnRows(where=where, root=root, rows=drawn, fingerprint=dataset.fingerprint(drawn))


def load(
    inputs: TrainingInputs,
    study: StudyArguments,
    training: GRPOArguments | SFTArguments,
    *,
    completion_tokens: int,
    texts: Callable[[Row], Iterable[str]] = asking.texts,
) -> tuple[Any, PreTrainedModel]:
    """The base's processor and model; the trainer decides on devices. `texts` is what the model reads of a row.

    `UserError` naming the first row that the base cannot be asked, or whose prompt leaves no room for
    `completion_tokens` in its context.
    """
    base, data = inputs.base, inputs.data
    processor = base.load_processor(**study.image_options)
    if training.should_save:
        tell_other_pictures(base.path, processor)
    check_askable(data.rows, Askable(base.adapter, processor, root=data.root, texts=texts), where=data.where)
    seen = views(data.rows, root=data.root, adapter=base.adapter, processor=processor)
    tokens = check_lengths(
        data.rows,
        PromptLengths(
            base.adapter,
            processor,
            root=data.root,
            ask=asking.asker(study.prompt, seen),
            begin=asking.beginning_of,
        ),
        limit=context_length(base.path) - completion_tokens,
        where=data.where,
    )
    if training.should_save:
        print(*preview.lines(data.rows, tokens, training), sep="\n", file=sys.stderr, flush=True)
    model = base.load_model(dtype=placement.held_in(study, training.dtype), attention=study.attention)
    placement.freeze(model, base.adapter, full=study.full_finetuning)
    return processor, model
