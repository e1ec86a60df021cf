"""Let vLLM read the prompt that the trainer scores, and stop the run where it reads another.

TRL hands vLLM the processor's token ids, in which each picture has its placeholders already. Colocated vLLM expands the
first of them once more, in every family (TRL issue 6294), so it gets the text's own ids here, one placeholder a
picture, and expands those. A server takes the ids as they are and lays the features of its own pictures over them.

Agreement is not assumed: in each rollout vLLM's ids are compared with the trainer's, a server's as they would be with
as many ids a picture as it reports.
"""

from typing import Any

from accelerate.utils import gather_object
from trl import GRPOTrainer
from typing_extensions import override

from vlm_grpo.adapters import registry
from vlm_grpo.errors import UserError

CAUSES = (
    "known causes are picture placeholders that are expanded twice (TRL issue 6294) or written in several runs, and "
    "pictures prepared with other settings than the checkpoint's; use_vllm: false"
)


class ReadsWhatIsScored(GRPOTrainer):
    """`GRPOTrainer` whose vLLM, where it has one, is held to the prompts that are scored."""

    def __init__(self, **trl: Any) -> None:
        super().__init__(**trl)
        if self.use_vllm:
            kind = self.model.config.model_type
            family = registry.for_model_type(kind, where="use_vllm").family
            self.vllm_generation: Any = SamePrompts(self.vllm_generation, family=family)

    @override
    def _tokenize_prompts(self, prompts: list[Any]) -> Any:
        if self.use_vllm:
            self.vllm_generation.texts = text_ids(
                self.processing_class, prompts, chat_template=self.chat_template, **self.chat_template_kwargs
            )
        return super()._tokenize_prompts(prompts)


class SamePrompts:
    """TRL's `VLLMGeneration`, held to the ids that the trainer scores.

    `texts` are the ids of the next rollout's prompts with one placeholder a picture.
    """

    def __init__(self, generation: Any, *, family: str) -> None:
        self.generation = generation
        self.family = family
        self.texts: list[list[int]] = []
        self._text_of: dict[tuple[int, ...], list[int]] = {}
        if generation.mode == "server":
            self._place_features = generation._place_features
            generation._place_features = self._place_all

    def __getattr__(self, name: str) -> Any:
        return getattr(self.generation, name)

    def generate(self, prompts: list[list[int]], images: Any, num_generations: int, profiler: Any = None) -> Any:
        """As TRL's: prompt ids, completion ids and log-probabilities; `UserError` where vLLM read other prompts."""
        given = prompts
        if self.generation.mode == "server":
            everyones = map(tuple, gather_object(prompts))
            self._text_of = dict(zip(everyones, gather_object(self.texts), strict=True))
        elif images is not None:
            given = self.texts
        try:
            generated = self.generation.generate(
                prompts=given, images=images, num_generations=num_generations, profiler=profiler
            )
        except ValueError as error:
            raise UserError(f"vLLM refuses a prompt (family {self.family}): {error}; use_vllm: false") from error
        for read, scored in zip(generated[0], prompts, strict=True):
            compare_prompts(list(read), list(scored), family=self.family)
        return generated

    def _place_all(self, features: dict[str, Any] | None, ids: list[int]) -> dict[str, Any] | None:
        if features is not None:
            lengths = [place["length"] for place in features["mm_placeholders"]["image"]]
            placeholder = self.processing_class.image_token_id
            read = _lay(lengths, self._text_of[tuple(ids)], ids, placeholder=placeholder)
            compare_prompts(read, ids, family=self.family)
        placed: dict[str, Any] | None = self._place_features(features, ids)
        return placed


def _lay(lengths: list[int], text: list[int], scored: list[int], *, placeholder: int) -> list[int]:
    """`text` with each placeholder as long as a server's picture, in the ids that `scored` has there."""
    waiting, read = list(lengths), list[int]()
    for token in text:
        at = len(read)
        read += scored[at : at + waiting.pop(0)] if token == placeholder and waiting else [token]
    return read


def text_ids(processor: Any, prompts: list[Any], **template: Any) -> list[list[int]]:
    """Ids of each conversation as its template writes it, one placeholder a picture; `template` as in TRL."""
    texts = [
        processor.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False, **template)
        for prompt in prompts
    ]
    begin = processor.tokenizer.bos_token
    return [
        processor.tokenizer(text, add_special_tokens=begin is None or not text.startswith(begin))["input_ids"]
        for text in texts
    ]


def compare_prompts(read: list[int], scored: list[int], *, family: str) -> None:
    """`UserError` unless the ids that vLLM read are those that the trainer scores."""
    if read == scored:
        return
    differ = (place for place, (one, other) in enumerate(zip(read, scored, strict=False)) if one != other)
    first = next(differ, min(len(read), len(scored)))
    raise UserError(
        f"vLLM reads another prompt than the trainer scores (family {family}): {len(read)} ids against {len(scored)}, "
        f"first difference at position {first}; {CAUSES}"
    )
