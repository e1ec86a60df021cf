"""Decode a batch: each distinct prompt is read once, then every token is one step over fixed places.

`Engine.generate` is the model's own `generate` with its decoding loop replaced: what prepares inputs, positions,
processors and stopping criteria stays transformers', and so do the draws, so the same seed gives the same completions,
up to a draw that falls within rounding of the border between two tokens. On a GPU the step is captured once for a size
and replayed for every token (`capture`); elsewhere it runs as it is, over no more places than are in use.

Left out: decoding without a KV cache, and models that `serving` refuses. `generate` does that.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch.nn.functional import pad
from transformers import GenerationConfig, LogitsProcessorList, PreTrainedModel, StoppingCriteriaList
from transformers.cache_utils import Cache

from vlm_grpo.adapters.renamed import cache_name
from vlm_grpo.decoding.capture import Run, capture
from vlm_grpo.decoding.choosing import Choosing, default_generator
from vlm_grpo.decoding.lean import lean_step
from vlm_grpo.decoding.memory import free_bytes
from vlm_grpo.decoding.pictures import Pictures
from vlm_grpo.decoding.prefill import prefill, shared_prefill
from vlm_grpo.decoding.prompts import DistinctPrompts
from vlm_grpo.decoding.step import BuildStep
from vlm_grpo.decoding.trunks import Trunks, read_trunks
from vlm_grpo.decoding.workspace import Workspace

logger = logging.getLogger(__name__)
KEPT = 0.1
"""Share of the free memory that keys and values may hold between batches, so that records need not be made anew."""
LOOK_EVERY = 8
"""Tokens between two looks at which rows have ended, where the host waits for the device to look."""


@dataclass(frozen=True)
class _Batch:
    """B rows that continue N prompts that were read.

    `logits` (N, V), `cache`, `mask` (N, P) and `positions` (N,) or (3, N) of the next token are the prompts'; `ids`
    (B, P) and `prompt_of_row` (B,) the rows'.
    """

    logits: torch.Tensor
    cache: Cache
    mask: torch.Tensor | None
    positions: torch.Tensor
    ids: torch.Tensor
    prompt_of_row: torch.Tensor

    @property
    def further_places(self) -> int:
        """Places of the cache beyond P: those of own tokens behind a trunk's."""
        places: int = self.cache.layers[0].keys.shape[2]
        return places - self.ids.shape[1]


class Engine:
    """Decodes with `model`, the one with the output layer, without PEFT's wrapper.

    Args:
        model: one that `serving.not_served` has nothing against.
        build_step: makes the step (`step`).
        record: makes a step replayable; by default `capture` on a GPU, else nothing.
        look_every: tokens between two looks at which rows have ended; by default 1 where looking is free.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        build_step: BuildStep = lean_step,
        record: Callable[[Run], Run] | None = None,
        look_every: int | None = None,
    ) -> None:
        on_gpu = model.device.type == "cuda"
        self._model = model
        self._workspace = Workspace(model, build_step(model), capture if record is None and on_gpu else record)
        self._look_every = look_every or (LOOK_EVERY if on_gpu else 1)

    def generate(
        self,
        *,
        processors: Callable[[], LogitsProcessorList] | None = None,
        trunks: Trunks | None = None,
        pictures: Pictures | None = None,
        **inputs: Any,
    ) -> torch.Tensor:
        """As the model's `generate` with a KV cache: (B, prompt + completion) tokens.

        `processors` makes logits processors of the caller's own, anew where a batch has to be begun again; `trunks` say
        where rows begin alike, whose `pictures` these are.
        """
        decode = partial(self._decode, may_halve=processors is None, trunks=trunks, pictures=pictures)

        def stock(**how: Any) -> torch.Tensor:
            own = LogitsProcessorList() if processors is None else processors()
            tokens: torch.Tensor = self._model.generate(**inputs, logits_processor=own, **how)
            return tokens

        return self._or_stock(lambda: stock(custom_generate=decode), stock)

    @contextmanager
    def in_place_of_generate(self, distinct: DistinctPrompts, pictures: Pictures) -> Iterator[None]:
        """Within the context `model.generate` is the engine's, for a batch of which this is known."""
        stock = self._model.generate
        decode = partial(self._decode, distinct=distinct, pictures=pictures)

        def by_stock(**inputs: Any) -> torch.Tensor:
            with shared_prefill(self._model, distinct, pictures):
                return stock(**inputs)

        def generate(**inputs: Any) -> torch.Tensor:
            return self._or_stock(lambda: stock(**inputs, custom_generate=decode), lambda: by_stock(**inputs))

        self._model.generate = generate
        try:
            yield
        finally:
            del self._model.generate

    def make_room(self) -> None:
        """Give the memory that is held between batches back where what follows might miss it."""
        free = free_bytes(self._model.device)
        if free is not None and self._workspace.bytes > KEPT * free:
            self._workspace.free()

    def _or_stock(self, ours: Callable[[], torch.Tensor], stock: Callable[[], torch.Tensor]) -> torch.Tensor:
        generator = default_generator(self._model.device)
        before = generator.get_state()
        try:
            return ours()
        except torch.OutOfMemoryError:
            self._after_running_out("decoding goes on with transformers' generate")
        generator.set_state(before)
        return stock()

    def _after_running_out(self, then: str) -> None:
        self._workspace.free()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        logger.warning("out of GPU memory while decoding: %s", then)

    def _decode(
        self,
        model: PreTrainedModel,
        input_ids: torch.Tensor,
        *,
        logits_processor: LogitsProcessorList,
        stopping_criteria: StoppingCriteriaList,
        generation_config: GenerationConfig,
        distinct: DistinctPrompts | None = None,
        pictures: Pictures | None = None,
        trunks: Trunks | None = None,
        may_halve: bool = True,
        **model_kwargs: Any,
    ) -> torch.Tensor:
        """The decoding loop, as `generate` calls one."""
        choose = partial(Choosing, processors=logits_processor, criteria=stopping_criteria, config=generation_config)
        if trunks is not None and pictures is not None:
            begun = read_trunks(model, input_ids, generation_config, model_kwargs, trunks=trunks, pictures=pictures)
            every = torch.arange(len(input_ids), device=input_ids.device)
            batch = _Batch(begun.logits, begun.cache, begun.mask, begun.positions, input_ids, every)
            del begun
            return self._through(batch, partial(choose, every=self._look_every), may_halve=may_halve)
        if distinct is None or pictures is None:
            first = of_row = list(range(len(input_ids)))
            read = model._prefill(input_ids, generation_config, model_kwargs)
        else:
            first, of_row = distinct.first, distinct.of_row
            read = prefill(model, input_ids, generation_config, model_kwargs, distinct=distinct, pictures=pictures)
        mask, following = model_kwargs["attention_mask"], model_kwargs["position_ids"][..., first, -1] + 1
        batch = _Batch(
            logits=read.logits[:, -1].float(),
            cache=read[cache_name(model.forward)],
            mask=None if mask is None else mask[first],
            positions=following[-3:] if following.ndim == 2 else following,
            ids=input_ids,
            prompt_of_row=torch.tensor(of_row, device=input_ids.device),
        )
        del read
        return self._through(batch, partial(choose, every=self._look_every), may_halve=may_halve)

    def _through(self, batch: _Batch, choose: Callable[[torch.Tensor], Choosing], *, may_halve: bool) -> torch.Tensor:
        return self._in_parts(batch, choose) if may_halve else self._continue(batch, choose(batch.ids))

    def _in_parts(self, batch: _Batch, choose: Callable[[torch.Tensor], Choosing]) -> torch.Tensor:
        """All rows at once, or, where they do not fit, one half after the other."""
        rows = len(batch.ids)
        try:
            return self._continue(batch, choose(batch.ids))
        except torch.OutOfMemoryError:
            if rows == 1:
                raise
        half = (rows + 1) // 2
        self._after_running_out(f"{rows} rows go on as {half} and {rows - half}; their random draws are others")
        parts = [
            self._in_parts(replace(batch, ids=batch.ids[some], prompt_of_row=batch.prompt_of_row[some]), choose)
            for some in (slice(0, half), slice(half, rows))
        ]
        longest = max(part.shape[1] for part in parts)
        padding = int(self._model.generation_config.pad_token_id or 0)
        return torch.cat([pad(part, (0, longest - part.shape[1]), value=padding) for part in parts])

    def _continue(self, batch: _Batch, choosing: Choosing) -> torch.Tensor:
        """Choose and step until all rows have ended."""
        rows = len(batch.ids)
        chosen = choosing.choose(batch.logits[batch.prompt_of_row])
        if chosen is None:
            return choosing.so_far
        self._workspace.begin(
            batch.cache,
            batch.positions,
            batch.mask,
            prompt_of_row=batch.prompt_of_row,
            length=choosing.limit - 1 + batch.further_places,
        )
        head = self._model.get_output_embeddings()
        held = torch.arange(rows, device=chosen.device)
        while chosen is not None:
            if len(choosing.active) < len(held) and self._workspace.worth_dropping(len(choosing.active)):
                self._workspace.keep(torch.isin(held, choosing.active).nonzero().squeeze(1))
                held = choosing.active
            logits = head(self._workspace.step(chosen[held])).float()
            if len(held) < rows:
                logits = logits.new_zeros(rows, logits.shape[1]).index_copy_(0, held, logits)
            chosen = choosing.choose(logits)
        return choosing.so_far
