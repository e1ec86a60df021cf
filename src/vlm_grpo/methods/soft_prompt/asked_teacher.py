"""A teacher that is loaded: what it says to rows, and how likely it finds each token of its traces."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

from vlm_grpo.adapters import asked as how_asked
from vlm_grpo.adapters import generation
from vlm_grpo.adapters import virtual_tokens as virtual
from vlm_grpo.adapters.checkpoint import Checkpoint, open_checkpoint
from vlm_grpo.adapters.precision import pick_dtype
from vlm_grpo.adapters.soft_prompt import open_adapter
from vlm_grpo.decoding.engine import Engine
from vlm_grpo.decoding.serving import not_served
from vlm_grpo.methods import examples
from vlm_grpo.methods.soft_prompt import teacher
from vlm_grpo.methods.soft_prompt.trace_arguments import TraceArguments
from vlm_grpo.rows.pictures import open_picture
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.asking import AskedRow
from vlm_grpo.tasks.view import View, views

IGNORED = -100


@dataclass(frozen=True)
class Teacher:
    """The `model` of `checkpoint` (without PEFT's wrapper) and the `processor` that prepares its prompts.

    `fingerprints` are those of the checkpoint and of the adapter on it, None where there is none.
    """

    checkpoint: Checkpoint
    processor: Any
    model: PreTrainedModel
    fingerprints: dict[str, str | None]

    def views(self, rows: Sequence[Row], *, root: Path) -> dict[str, View]:
        """How it sees the pictures of `rows`, by row id."""
        return dict(views(rows, root=root, adapter=self.checkpoint.adapter, processor=self.processor))

    @cached_property
    def ends(self) -> list[int]:
        """Ids that end a completion; the model has them from here on."""
        ends = generation.end_tokens(self.model.generation_config, self.processor)
        self.model.generation_config.eos_token_id = ends
        return ends

    @cached_property
    def _engine(self) -> Engine | None:
        cached = self.checkpoint.adapter.generation.get("use_cache", True)
        return Engine(self.model) if cached and not not_served(self.model) else None

    @torch.inference_mode()
    def say(self, batch: Sequence[AskedRow], *, root: Path, temperature: float, most: int) -> list[list[int]]:
        """A completion of each of `batch` in ids, up to its end token or to `most`; greedy at a temperature of 0.

        Draws from torch's default generator.
        """
        family, ends = self.checkpoint.adapter, self.ends
        pictures = [[open_picture(root, name) for name in asked.row.images] for asked in batch]
        inputs = family.encode(self.processor, [asked.text for asked in batch], pictures).to(self.model.device)
        how = {
            **family.generation,
            "max_new_tokens": most,
            "pad_token_id": self.processor.tokenizer.pad_token_id,
            "suppress_tokens": family.placeholder_ids(self.processor.tokenizer) or None,
            **(
                {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature > 0 else {"do_sample": False}
            ),
        }
        if self._engine is not None:
            how["use_cache"] = True
        generate = self.model.generate if self._engine is None else self._engine.generate
        tokens = generate(**inputs, **how)
        said = tokens[:, inputs["input_ids"].shape[1] :].cpu()
        return [self._up_to_its_end(new, ends) for new in said]

    def _up_to_its_end(self, new: torch.Tensor, ends: list[int]) -> list[int]:
        places = torch.isin(new, torch.tensor(ends)).nonzero()
        ids: list[int] = new[: int(places[0]) + 1 if len(places) else len(new)].tolist()
        return ids


def open_teacher(arguments: TraceArguments) -> Teacher:
    """The teacher that `arguments` name, prepared as its training prepared prompts and pictures where that is known."""
    assert arguments.teacher is not None
    adapter = open_adapter(Path(arguments.adapter), base=arguments.teacher) if arguments.adapter else None
    checkpoint = adapter.base if adapter else open_checkpoint(arguments.teacher)
    trained = how_asked.read(adapter.path if adapter else checkpoint.path)
    given = {name: value for name, value in arguments.image_options.items() if value is not None}
    processor = checkpoint.load_processor(image_settings=trained.image_processor if trained else None, **given)
    if trained is not None:
        processor.chat_template = trained.chat_template
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = checkpoint.load_model(dtype=pick_dtype(arguments.dtype), device=device)
    model = adapter.attach(model).get_base_model() if adapter else model.eval()
    fingerprints = {"model": checkpoint.fingerprint, "adapter": adapter.fingerprint if adapter else None}
    return Teacher(checkpoint, processor, model, fingerprints)


@torch.inference_mode()
def distributions(
    one: Teacher, rows: list[Row], *, root: Path, prompt: str, count: int, batch_size: int
) -> dict[str, dict[str, torch.Tensor]]:
    """What is kept (`teacher.likeliest`) of how `one`, asked in `prompt`, continues the traces of `rows`, by row id."""
    taught = examples.sft_dataset(
        rows, root=root, prompt=prompt, target=examples.TRACE, views=one.views(rows, root=root)
    )
    collate = DataCollatorForVisionLanguageModeling(one.processor, max_length=None, completion_only_loss=True)
    kept: dict[str, dict[str, torch.Tensor]] = {}
    for start in range(0, len(rows), batch_size):
        some = rows[start : start + batch_size]
        batch = virtual.insert(
            collate([dict(taught[start + place]) for place in range(len(some))]), one.checkpoint.adapter.virtual_tokens
        )
        labels = batch.pop("labels")[:, 1:]
        logits = one.model(**{name: value.to(one.model.device) for name, value in batch.items()}).logits[:, :-1].cpu()
        for row, of_row, wanted in zip(some, logits, labels, strict=True):
            learnt = wanted != IGNORED
            kept[row.id] = teacher.likeliest(of_row[learnt], wanted[learnt], count=count)
    return kept
