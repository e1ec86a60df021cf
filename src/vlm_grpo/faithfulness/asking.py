"""The model of an evaluated arm, asked once more: prompts with a beginning of the answer, pictures changed.

Where the engine decodes, a prompt whose completions begin in several ways is read once with its picture, and so is what
those beginnings share: the cuts of a thought take over the keys and values of the whole one up to where they end.
"""

from collections.abc import Hashable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageOps

from vlm_grpo.decoding.cache_choice import choose_cache
from vlm_grpo.evaluation.arms import Arm
from vlm_grpo.evaluation.asked_again import next_token_log_probabilities, open_again, settings_of
from vlm_grpo.evaluation.generate import Completion, Decoder, complete
from vlm_grpo.evaluation.inputs import EvaluationInputs
from vlm_grpo.evaluation.settings import AUTO_BATCH_SIZE, EvaluationArguments
from vlm_grpo.faithfulness.confidence import Confidence, Fork, confidence_at
from vlm_grpo.faithfulness.probes import Variant
from vlm_grpo.methods.fast.vision_features import reuse_features
from vlm_grpo.rows.pictures import open_picture
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.asking import AskedRow, render
from vlm_grpo.tasks.view import View, views

FEATURE_BYTES = 512 << 20
"""Of pictures' features that are kept for the probes to come."""


@dataclass
class Asker:
    """Asks the model of one arm. `inputs` are those of its evaluation; `shares` is whether beginnings are read once."""

    settings: EvaluationArguments
    inputs: EvaluationInputs
    decoder: Decoder
    use_cache: bool
    shares: bool

    @property
    def tokenizer(self) -> Any:
        """The checkpoint's."""
        return self.inputs.processor.tokenizer

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, without special tokens."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def count(self, text: str) -> int:
        """Tokens of `text`."""
        return len(self.encode(text))

    def view(self, row: Row) -> View:
        """How the model sees the pictures of `row`, which may be others than the row's own."""
        adapter, processor = self.inputs.model.adapter, self.inputs.processor
        return views([row], root=self.settings.root, adapter=adapter, processor=processor)[row.id]

    def decode(self, ids: list[int]) -> str:
        """The text of `ids`."""
        return str(self.tokenizer.decode(ids, clean_up_tokenization_spaces=False))

    def answers(self, variants: Sequence[Variant]) -> Iterator[list[tuple[Variant, str]]]:
        """Each variant with its whole completion, prefill included, a batch at a time."""
        prompts = self._prompts(variants)
        pending = dict(zip(map(id, prompts), variants, strict=True))
        is_auto = self.settings.batch_size == "auto"
        batches = complete(
            prompts,
            decode=lambda batch, encoded: self.decoder(
                batch,
                encoded,
                use_cache=self.use_cache,
                groups=[self._asked_alike(pending[id(prompt)]) for prompt in batch] if self.shares else None,
            ),
            encode=lambda batch: self._encoded([(prompt, pending[id(prompt)]) for prompt in batch]),
            batch_size=AUTO_BATCH_SIZE if is_auto else int(self.settings.batch_size),
            may_halve=is_auto,
        )
        for batch in batches:
            yield [self._whole(pending[id(completion.prompt)], completion) for completion in batch]

    def confidences(self, forks: Sequence[tuple[Row, Fork]]) -> list[Confidence]:
        """How sure the model is at each fork."""
        size = 32 if self.settings.batch_size == "auto" else int(self.settings.batch_size)
        return [
            confidence for start in range(0, len(forks), size) for confidence in self._at(forks[start : start + size])
        ]

    def _at(self, forks: Sequence[tuple[Row, Fork]]) -> list[Confidence]:
        variants = [Variant(row=row, prefill=fork.prefill) for row, fork in forks]
        encoded = self._encoded(list(zip(self._prompts(variants), variants, strict=True)))
        says = next_token_log_probabilities(self.decoder.model, encoded)
        return [confidence_at(fork, says[i, list(fork.tokens)].tolist()) for i, (_, fork) in enumerate(forks)]

    def _prompts(self, variants: Sequence[Variant]) -> list[AskedRow]:
        return [AskedRow(v.row, self._asked(v.row).text + v.prefill) for v in variants]

    def _asked_alike(self, variant: Variant) -> Hashable:
        """Equal for variants that differ in their prefill only."""
        return variant.row.id, variant.row.problem, variant.row.images, variant.picture

    def _asked(self, row: Row) -> AskedRow:
        seen = {row.id: self.view(row)}
        (asked,) = render([row], self.inputs.processor, template=self.settings.prompt, views=seen)
        return asked

    def _encoded(self, batch: Sequence[tuple[AskedRow, Variant]]) -> Any:
        images = [[self._picture(name, variant) for name in variant.row.images] for _, variant in batch]
        return self.inputs.model.adapter.encode(self.inputs.processor, [prompt.text for prompt, _ in batch], images)

    def _picture(self, name: str, variant: Variant) -> Image.Image:
        picture = open_picture(self.settings.root, name)
        if variant.picture == "blank":
            return Image.new("RGB", picture.size, "white")
        return ImageOps.mirror(picture) if variant.picture == "mirrored" else picture

    def _whole(self, variant: Variant, completion: Completion) -> tuple[Variant, str]:
        return variant, variant.prefill + completion.text


def open_asker(arm: Arm, *, shares: bool = True) -> Asker:
    """Load the model of `arm` as its evaluation did; `UserError` where the weights are others now.

    Without `shares` each prompt is read whole and each picture encoded as often as it is asked about.
    """
    settings = settings_of(arm)
    inputs, model = open_again(arm, settings)
    settings = inputs.settled.settings
    decoder = Decoder(
        model=model,
        processor=inputs.processor,
        adapter=inputs.model.adapter,
        max_new_tokens=settings.max_new_tokens,
    )
    use_cache = choose_cache(
        settings.use_cache, model=model, adapter=inputs.model.adapter, batch=lambda: None
    ) if settings.use_cache != "auto" else bool(arm.manifest.get("use_cache", False))  # fmt: skip
    if shares and use_cache and decoder.engine is not None:
        reuse_features(model.requires_grad_(False).base_model, limit=FEATURE_BYTES, precision=nullcontext)
    return Asker(settings, inputs, decoder, use_cache, shares)
