"""TRL's `GRPOTrainer` that encodes each picture once and reads each prompt once, with the same results.

Four seams, each with TRL's own code behind it: the processor (`processing`, `ahead`), the model's vision tower
(`vision_features`), the one method through which policy, old and reference log-probabilities pass
(`_get_per_token_logps_and_entropies`, see `scoring` and `prefix`), and generation's prefill (`rollout`).
Beyond them only the shuffle differs: rows move in whole groups, so that a group's rows meet in one micro-batch.
`fast: off` is TRL's own computation, and what the tests compare with; which pictures a row is shown is decided here
either way (`pictures`), and checked in every micro-batch (`shown`).
"""

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from accelerate.utils import is_peft_model
from torch import Tensor
from torch.nn import Dropout
from torch.nn.functional import pad
from transformers import PreTrainedModel
from trl import GRPOTrainer
from trl.trainer.utils import shuffle_sequence_dict, split_tensor_dict

from vlm_grpo.adapters.precision import autocast_dtype
from vlm_grpo.decoding.engine import Engine
from vlm_grpo.decoding.pictures import Pictures, by_row, counts_of, is_foreign
from vlm_grpo.decoding.prefill import shared_prefill
from vlm_grpo.decoding.prompts import DistinctPrompts, distinct_prompts
from vlm_grpo.methods.fast.adapter_switch import switch_by_flag
from vlm_grpo.methods.fast.ahead import PicturesAhead, before
from vlm_grpo.methods.fast.arguments import FastArguments
from vlm_grpo.methods.fast.feature_cache import FeatureCache
from vlm_grpo.methods.fast.groups import shuffle_whole_groups
from vlm_grpo.methods.fast.layout import rows_apart, rows_together
from vlm_grpo.methods.fast.plan import WORTH, make_plan
from vlm_grpo.methods.fast.prefix import share_prefix
from vlm_grpo.methods.fast.processing import SHARED, DistinctProcessing, PictureLists, repeat_pictures
from vlm_grpo.methods.fast.rollout_mode import no_dropout
from vlm_grpo.methods.fast.scoring import SharedPass, cut_into_passes
from vlm_grpo.methods.fast.shown import MARKS, check_shown, marks
from vlm_grpo.methods.fast.uncopied import pictures_uncopied
from vlm_grpo.methods.fast.vision_features import reuse_features

logger = logging.getLogger(__name__)
MIB = 1 << 20


class FastGRPOTrainer(GRPOTrainer):
    """`GRPOTrainer` with `fast`, the settings of the fast path (None: off).

    `plan` says which parts are used, `features` is the cache of picture features and `ahead` what prepares pictures
    (None where they are not used).
    """

    def __init__(self, *, fast: FastArguments | None = None, **trl: Any) -> None:
        super().__init__(**trl)
        self._inner: PreTrainedModel | None = None
        fast = fast or FastArguments(fast="off")
        self.plan = make_plan(
            fast.fast,
            model=self._inner_model(),
            args=self.args,
            accelerator=self.accelerator,
            special=self._lengthened(),
        )
        self._buffered_inputs: list[dict[str, Any]] | None
        self.processing_class: Any
        self.ahead: PicturesAhead | None = None
        if self.plan.processing is None:
            self.ahead = PicturesAhead(self.processing_class.image_processor)
            if self.args.dataloader_num_workers == 0:
                self.data_collator = self.ahead.prepare
        self.features: FeatureCache | None = None
        self._rows_per_chunk = fast.fast_chunk
        self._told_not_worth = False
        self._drops_in_scoring_only = fast.fast != "off"
        backbone = self._inner_model().base_model
        self._engine = Engine(self._inner_model()) if self.plan.rollout is self.plan.engine is None else None
        if self.plan.vision is None:
            self.features = reuse_features(
                backbone, limit=fast.fast_vision_mb * MIB, precision=self.accelerator.autocast
            )
        if self.plan.scoring is None:
            share_prefix(backbone)
        if self._drops_in_scoring_only and is_peft_model(self.model):
            switch_by_flag(self.model)
        if fast.fast != "off" and self.accelerator.is_main_process:
            for line in self.plan.lines(dropout=any(m.p for m in self.model.modules() if isinstance(m, Dropout))):
                logger.warning(line)

    def _lengthened(self) -> str | None:
        """What makes completions more than one answer to one prompt and its pictures; None: nothing does."""
        return "tools and environments lengthen completions" if self.tools or self.rollout_func else None

    def _inner_model(self) -> PreTrainedModel:
        """The model without the wrappers of accelerate and PEFT; found once, since accelerate walks all its modules."""
        if self._inner is None:
            model = self.accelerator.unwrap_model(self.model)
            self._inner = model.get_base_model() if is_peft_model(model) else model
        return self._inner

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        """As in TRL, but each distinct prompt is processed once, and each row's pictures are marked."""
        processor: Any = self.processing_class
        self.processing_class = self._processing(processor, inputs)
        try:
            with before(processor, self.ahead) if self.ahead is not None else nullcontext():
                batch: dict[str, Any] = super()._generate_and_score_completions(inputs)
        finally:
            self.processing_class = processor
        if is_foreign(batch):
            return batch
        return batch | {MARKS: marks(by_row(batch, batch.get("num_images")), rows=len(inputs))}

    def _processing(self, processor: Any, inputs: list[dict[str, Any]]) -> Any:
        """What stands in for `processor` while the completions of `inputs` are made and scored."""
        return PictureLists(processor) if self.ahead is None else DistinctProcessing(processor, self.ahead.known)

    def _prepare_input(self, data: Any) -> Any:
        """As in `Trainer`, which moves `data` to the device; pictures that rows share are repeated there."""
        moved = super()._prepare_input(data)
        return repeat_pictures(moved) if isinstance(moved, Mapping) and SHARED in moved else moved

    def _prepare_inputs(self, generation_batch: Any) -> Any:
        """As in TRL, but rows keep their pictures, and where they share prompts whole groups are shuffled."""
        if not self.model.training:
            return super()._prepare_inputs(generation_batch)
        steps = self.args.steps_per_generation
        if self._step % (steps * self.num_iterations) == 0 or self._buffered_inputs is None:
            batch = self._shuffled(rows_apart(self._generate_and_score_completions(generation_batch)))
            self._buffered_inputs = [rows_together(part) for part in split_tensor_dict(batch, steps)]
        batch = self._buffered_inputs[self._step % steps]
        check_shown(batch, self._inner_model().config)
        return batch

    def _shuffled(self, batch: dict[str, Any]) -> dict[str, Any]:
        if self.plan.scoring is not None:
            shuffled: dict[str, Any] = shuffle_sequence_dict(batch)
            return shuffled
        rows = len(batch["prompt_ids"])
        offset = rows * self.accelerator.process_index
        return shuffle_whole_groups(batch, [(offset + row) // self.num_generations for row in range(rows)])

    def _generate(self, prompts: list[Any]) -> Any:
        with nullcontext() if self.ahead is None else pictures_uncopied(prompts):
            return super()._generate(prompts)

    def _generate_single_turn(
        self, prompt_ids: Any, images: Any, multimodal_fields: Any, num_generations: int, **settings: Any
    ) -> Any:
        with no_dropout(self.model) if self._drops_in_scoring_only else nullcontext():
            return self._drawn(prompt_ids, images, multimodal_fields, num_generations, **settings)

    def _drawn(
        self, prompt_ids: Any, images: Any, multimodal_fields: Any, num_generations: int, **settings: Any
    ) -> Any:
        if self.plan.rollout is not None:
            return super()._generate_single_turn(prompt_ids, images, multimodal_fields, num_generations, **settings)
        if SHARED in multimodal_fields:
            multimodal_fields = repeat_pictures(
                {name: v.to(self.args.device) if isinstance(v, Tensor) else v for name, v in multimodal_fields.items()}
            )
        counts = counts_of(
            prompt_ids,
            multimodal_fields.get("pixel_values"),
            images and [len(of_row or ()) for of_row in images],
            placeholder=self._inner_model().config.image_token_id,
        )
        shown = by_row(multimodal_fields, counts)
        distinct = distinct_prompts(prompt_ids, shown.are_equal)
        with self._sharing(distinct, shown), self._as_scored():
            said = super()._generate_single_turn(prompt_ids, images, multimodal_fields, num_generations, **settings)
        if self._engine is not None:
            self._engine.make_room()
        return said

    def _sharing(self, distinct: DistinctPrompts, shown: Pictures) -> AbstractContextManager[None]:
        """Within it, `generate` prefills the distinct prompts only."""
        if self._engine is None:
            return shared_prefill(self._inner_model(), distinct, shown)
        return self._engine.in_place_of_generate(distinct, shown)

    def _as_scored(self) -> AbstractContextManager[Any]:
        """Within it the policy computes as when it is scored: TRL rolls out without autocast, LoRA in float32."""
        inner = self._inner_model()
        with self.accelerator.autocast():
            scored = autocast_dtype(inner.device)
        return self.accelerator.autocast() if scored is inner.dtype else nullcontext()

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        logits_to_keep: int,
        batch_size: int | None = None,
        compute_entropy: bool = False,
        compute_aux_loss: bool = False,
        **inputs: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
        """Log-probabilities (B, `logits_to_keep`) of the completions, 0 at padding; entropies alike when asked for."""
        passes = None
        if self.plan.scoring is None and model is not self.ref_model and not compute_aux_loss:
            passes = self._shared_passes(input_ids, attention_mask, logits_to_keep, batch_size, inputs)
        if passes is None:
            return self._scored_by_trl(
                model,
                input_ids,
                attention_mask,
                logits_to_keep,
                batch_size=batch_size,
                inputs=inputs,
                compute_entropy=compute_entropy,
                compute_aux_loss=compute_aux_loss,
            )
        backbone = self._inner_model().base_model
        with self.accelerator.autocast():
            scored = [p.score(model, backbone, rows_per_chunk=self._rows_per_chunk) for p in passes]
        logps, entropies = (
            torch.cat([pad(part, (0, logits_to_keep - part.shape[1])) for part in parts])
            for parts in zip(*scored, strict=True)
        )
        return logps, entropies if compute_entropy else None, None

    def _scored_by_trl(
        self,
        model: Any,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        logits_to_keep: int,
        *,
        batch_size: int | None,
        inputs: dict[str, Any],
        **asked: bool,
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
        """TRL's scoring of `batch_size` rows at a time, given these rows' own pictures: it never cuts them itself."""
        score = super()._get_per_token_logps_and_entropies
        present = {name: value for name, value in inputs.items() if value is not None}
        rows = len(input_ids)
        if is_foreign(present):
            return score(model, input_ids, attention_mask, logits_to_keep, batch_size=batch_size, **asked, **inputs)
        pictures = by_row(present, present.get("num_images"))
        others = {name: value for name, value in present.items() if name not in pictures.fields}
        parts = []
        for start in range(0, rows, batch_size or rows):
            some = range(rows)[start : start + (batch_size or rows)]
            own = {name: value[some.start : some.stop] for name, value in others.items()} | pictures.narrow(some)
            chunk = slice(some.start, some.stop)
            parts.append(score(model, input_ids[chunk], attention_mask[chunk], logits_to_keep, **asked, **own))
        logps, entropies, losses = zip(*parts, strict=True)
        return (
            torch.cat(logps),
            torch.cat(entropies) if asked["compute_entropy"] else None,
            torch.stack(losses).mean() if asked["compute_aux_loss"] else None,
        )

    def _shared_passes(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        logits_to_keep: int,
        batch_size: int | None,
        inputs: dict[str, Any],
    ) -> list[SharedPass] | None:
        """The passes that replace TRL's; None when they would save too little."""
        passes = cut_into_passes(
            input_ids,
            attention_mask,
            completion_length=logits_to_keep,
            batch_size=batch_size,
            pictures=by_row(inputs, inputs.get("num_images")),
        )
        saving = input_ids.numel() / sum(p.tokens for p in passes)
        if saving >= WORTH:
            return passes
        if not self._told_not_worth:
            self._told_not_worth = True
            logger.warning("fast: a batch scored by TRL: sharing prompts would save %.2fx of its tokens only", saving)
        return None
