"""Batched decoding: prompts in, completions out, batch by batch.

While the model decodes one batch, a thread opens the pictures of the next. With `batch_size: auto`, a batch that does
not fit into the GPU's memory is halved and tried again. Decoding is greedy over left-padded prompts, so what a row gets
does not depend on its companions, beyond rounding.
"""

import sys
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal, TypeVar

import torch
from transformers import GenerationConfig, PreTrainedModel

from vlm_grpo.adapters.base import Adapter
from vlm_grpo.adapters.finite import watch_logits
from vlm_grpo.adapters.generation import end_tokens
from vlm_grpo.decoding.engine import Engine
from vlm_grpo.decoding.pictures import by_row, counts_of, is_foreign
from vlm_grpo.decoding.serving import not_served
from vlm_grpo.decoding.trunks import trunks_of
from vlm_grpo.errors import UserError
from vlm_grpo.evaluation.sampling import logits_processors
from vlm_grpo.tasks.asking import AskedRow


@dataclass(frozen=True)
class Completion:
    """What the model said to `prompt`; both counts are in tokens, the completion's with its end token.

    `turns` are those of a completion that an environment answers, as plain values; `text` is the model's last.
    """

    prompt: AskedRow
    text: str
    prompt_tokens: int
    completion_tokens: int
    finish_reason: Literal["stop", "length"]
    turns: list[dict[str, Any]] | None = None


@dataclass(frozen=True, kw_only=True)
class Decoder:
    """Decodes one encoded batch.

    The checkpoint's own generation defaults (repetition penalty, sampling) are put aside, and what ends a completion is
    decided in `adapters/generation.py`, as for rollouts. Tokens that stand for pictures are suppressed, as in training.
    With the KV cache the engine decodes, unless it does not serve the model or `by_engine` is false; then, and without
    the cache, transformers' `generate` does.
    """

    model: PreTrainedModel
    processor: Any
    adapter: Adapter
    max_new_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    by_engine: bool = True

    def __post_init__(self) -> None:
        own = self.model.generation_config
        tokenizer = self.processor.tokenizer
        self.model.generation_config = GenerationConfig(
            eos_token_id=end_tokens(own, self.processor),
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=own.bos_token_id,
            do_sample=False,
            max_new_tokens=self.max_new_tokens,
            suppress_tokens=self.adapter.placeholder_ids(tokenizer) or None,
        )
        self.model.eval()

    @cached_property
    def engine(self) -> Engine | None:
        """What decodes from the KV cache; None: transformers' `generate` does."""
        return Engine(self.model) if self.by_engine and not not_served(self.model) else None

    @property
    def end_tokens(self) -> list[int]:
        """Ids that end a completion."""
        return list(self.model.generation_config.eos_token_id)

    def __call__(
        self, batch: list[AskedRow], encoded: Any, *, use_cache: bool, groups: Sequence[Hashable] | None = None
    ) -> list[Completion]:
        """Decode `encoded`, the inputs (B, L) of `batch`; `UserError` where the model's logits are not finite.

        Rows of one of `groups` ask the same about the same pictures and differ in what the completion begins with; the
        engine reads what they share once.
        """
        rows = [prompt.row.id for prompt in batch]
        sharing = {} if groups is None or not use_cache else self._sharing(batch, encoded, groups)
        tokens = self.say(encoded, rows, use_cache=use_cache, **sharing)
        lengths = encoded["attention_mask"].sum(dim=1).tolist()
        return [self._completion(*row) for row in zip(batch, tokens, lengths, strict=True)]

    def _sharing(self, batch: list[AskedRow], encoded: Any, groups: Sequence[Hashable]) -> dict[str, Any]:
        """What the engine has to know to share beginnings; nothing where it cannot, or where there are none."""
        prompts = [
            ids[mask.bool()].tolist() for ids, mask in zip(encoded["input_ids"], encoded["attention_mask"], strict=True)
        ]
        trunks = trunks_of(prompts, groups)
        if self.engine is None or is_foreign(encoded) or not trunks.spares:
            return {}
        shown = [len(prompt.row.images) for prompt in batch]
        placeholder = self.model.config.image_token_id
        counts = counts_of(prompts, encoded.get("pixel_values"), shown, placeholder=placeholder)
        return {"trunks": trunks, "pictures": by_row(encoded.to(self.model.device), counts)}

    @torch.inference_mode()
    def say(
        self, encoded: Any, rows: list[str], *, use_cache: bool, at_most: int | None = None, **sharing: Any
    ) -> list[list[int]]:
        """What the model says to the inputs `encoded` (B, L), in ids, each up to its end token or to the limit.

        `rows` name the streams that sampling draws from; `at_most` tokens, `max_new_tokens` if unset; `sharing` is what
        `Engine.generate` takes of beginnings that rows share.
        """
        inputs = encoded.to(self.model.device)
        limit: dict[str, Any] = {} if at_most is None else {"max_new_tokens": at_most}
        processors = partial(
            logits_processors,
            rows,
            temperature=self.temperature,
            top_p=self.top_p,
            seed=self.seed,
            device=self.model.device,
        )
        with watch_logits(self.model) as watch:
            tokens = (
                self.engine.generate(**inputs, processors=processors, use_cache=True, **limit, **sharing)
                if use_cache and self.engine is not None
                else self.model.generate(**inputs, logits_processor=processors(), use_cache=use_cache, **limit)
            )
        if not watch.is_finite:
            raise UserError(
                f"row {rows[0]}, or one of the {len(rows)} that are asked with it: the model's logits are not finite "
                f"(NaN or infinity) in {str(self.model.dtype).removeprefix('torch.')}; ask in float32 or bfloat16, or "
                "take weights from before the training died"
            )
        return [self._up_to_its_end(new) for new in tokens[:, inputs["input_ids"].shape[1] :].cpu()]

    def _up_to_its_end(self, new: torch.Tensor) -> list[int]:
        ends = torch.isin(new, torch.tensor(self.end_tokens)).nonzero()
        ids: list[int] = new[: int(ends[0]) + 1 if len(ends) else len(new)].tolist()
        return ids

    def text(self, ids: list[int]) -> str:
        """`ids` as text, without special tokens."""
        text: str = self.processor.tokenizer.decode(ids, skip_special_tokens=True)
        return text

    def finish_reason(self, ids: list[int]) -> Literal["stop", "length"]:
        """Whether what is said ends by itself or was cut off."""
        return "stop" if ids and ids[-1] in self.end_tokens else "length"

    def _completion(self, prompt: AskedRow, ids: list[int], prompt_tokens: int) -> Completion:
        return Completion(prompt, self.text(ids), prompt_tokens, len(ids), self.finish_reason(ids))


Answer = TypeVar("Answer")


def complete(
    asked: list[AskedRow],
    *,
    decode: Callable[[list[AskedRow], Any], list[Answer]],
    encode: Callable[[list[AskedRow]], Any],
    batch_size: int,
    may_halve: bool,
) -> Iterator[list[Answer]]:
    """Yield what `decode` makes of `asked` (completions, mostly), in order, a batch at a time.

    Running out of GPU memory halves the batch where `may_halve`, else it is a `UserError`.
    """
    start = 0
    with ThreadPoolExecutor(max_workers=1) as pool:
        upcoming = pool.submit(encode, asked[:batch_size])
        while start < len(asked):
            batch, encoded = asked[start : start + batch_size], upcoming.result()
            following = asked[start + batch_size : start + 2 * batch_size]
            if following:
                upcoming = pool.submit(encode, following)
            try:
                completions = decode(batch, encoded)
            except torch.OutOfMemoryError:
                batch_size = _halved(min(batch_size, len(batch)), may_halve=may_halve)
                upcoming = pool.submit(encode, asked[start : start + batch_size])
                continue
            start += len(batch)
            yield completions


def _halved(batch_size: int, *, may_halve: bool) -> int:
    if batch_size == 1:
        raise UserError("out of GPU memory with a batch of one row; lower max_pixels or max_new_tokens")
    if not may_halve:
        raise UserError(f"out of GPU memory with batch_size {batch_size}; lower it or set it to auto")
    torch.cuda.empty_cache()
    print(
        f"out of GPU memory with a batch of {batch_size}; going on with {batch_size // 2}", file=sys.stderr, flush=True
    )
    return batch_size // 2
