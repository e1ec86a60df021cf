"""The slots of the batch that is being decoded, and the steps recorded over them.

Both outlive a batch, since a record is worth its seconds only if it is used again. They are bounded: one storage, as
large as the largest batch so far, and the `CAPTURED` records used last.
"""

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.cache_utils import Cache

from vlm_grpo.decoding.buckets import CAPTURED, length_bucket, row_bucket
from vlm_grpo.decoding.capture import Run, what_a_record_depends_on
from vlm_grpo.decoding.lean import LeanStep
from vlm_grpo.decoding.shared_keys import SharedKeys, shared_keys
from vlm_grpo.decoding.slots import Slots
from vlm_grpo.decoding.step import Step

WORTH_DROPPING = 0.75
"""Rows that have ended are dropped once no more than this share is left, where nothing is recorded."""


class Workspace:
    """Steps over rows of `model`'s language tower; `record` makes a `step` replayable, None runs it as it is."""

    def __init__(self, model: PreTrainedModel, step: Step, record: Callable[[Run], Run] | None) -> None:
        self._tower, self._step, self._record = model.get_decoder(), step, record
        self._slots: Slots | None = None
        self._recorded: OrderedDict[tuple[int, int], Run] = OrderedDict()
        self._depends: Any = None
        self._rows = self._length = self._end = 0
        self._masked = True
        self._prompt_of_row = torch.zeros(0, dtype=torch.long)
        self._shared: SharedKeys | None = None
        self._width = 0

    @property
    def bytes(self) -> int:
        """Memory of the keys and values that are held."""
        return 0 if self._slots is None else self._slots.bytes

    def free(self) -> None:
        """Give all memory back."""
        self._recorded.clear()
        self._slots = None

    def begin(
        self,
        prompts: Cache,
        positions: torch.Tensor,
        mask: torch.Tensor | None,
        *,
        prompt_of_row: torch.Tensor,
        length: int,
    ) -> None:
        """Copy the prompts in, for rows of at most `length` tokens.

        Args:
            prompts: keys and values of the N prompts.
            positions: (N,) or (3, N) that of the token after each prompt.
            mask: (N, P) 0 at padding; None where there is none.
            prompt_of_row: (B,) the prompt that each row continues.
            length: tokens of prompt and completion.
        """
        if isinstance(self._step, LeanStep):
            self._step.refresh()
        if self._record is not None:
            self._forget_stale_records()
        self._rows = self._bucket(len(prompt_of_row))
        self._length = length_bucket(length)
        self._end = prompts.layers[0].keys.shape[2]
        self._masked = self._record is not None or mask is not None
        slots = self._fitting(prompts, positions)
        self._share(prompt_of_row, prompts.layers[0].keys)
        rows = torch.nn.functional.pad(prompt_of_row, (0, self._rows - len(prompt_of_row)))
        slots.fill(prompts, positions, mask, prompt_of_row=rows)

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Hidden states (n, width) after `tokens` (n,), the newest of the first n rows; valid until the next step."""
        assert self._slots is not None
        self._slots.put(tokens)
        self._end += 1
        hidden = self._run()()[: len(tokens)]
        self._slots.advance()
        return hidden

    def worth_dropping(self, rows: int) -> bool:
        """Whether a step over `rows` rows only would be so much cheaper that the others should be dropped."""
        share = WORTH_DROPPING if self._record is None else 0.5
        return self._bucket(rows) <= share * self._rows

    def keep(self, places: torch.Tensor) -> None:
        """Go on with the rows at these places only, in that order."""
        assert self._slots is not None
        self._slots.keep(places)
        self._rows = self._bucket(len(places))
        self._prompt_of_row = self._prompt_of_row[places]
        if self._shared is not None:
            self._shared = shared_keys(self._prompt_of_row.tolist(), places=self._shared.places, width=self._width)

    def _share(self, prompt_of_row: torch.Tensor, keys: torch.Tensor) -> None:
        """Settle what rows share for a batch, whose prompts have such `keys` (N, heads, places, width)."""
        may_share = self._record is None and isinstance(self._step, LeanStep) and keys.dtype is torch.float32
        _, heads, places, width = keys.shape
        self._prompt_of_row, self._width = prompt_of_row, heads * width
        self._shared = shared_keys(prompt_of_row.tolist(), places=places, width=self._width) if may_share else None

    def _bucket(self, rows: int) -> int:
        return rows if self._record is None else row_bucket(rows)

    def _fitting(self, prompts: Cache, positions: torch.Tensor) -> Slots:
        rows, length = self._rows, self._length
        if self._slots is None or not self._slots.fits(prompts, rows=rows, length=length):
            if self._slots is not None:
                rows, length = max(rows, self._slots.rows), max(length, self._slots.length)
            self.free()
            self._slots = Slots(prompts, positions, rows=rows, length=length, mask=self._mask_form(prompts))
        return self._slots

    def _mask_form(self, prompts: Cache) -> tuple[torch.dtype, Any, Any]:
        """Of the mask: its dtype, what it holds at places that count, and what at those that do not."""
        if self._tower.config._attn_implementation != "eager":
            return torch.bool, True, False
        dtype = prompts.layers[0].keys.dtype
        return dtype, 0.0, torch.finfo(dtype).min

    def _run(self) -> Run:
        if self._record is None:
            return self._over(self._rows, self._end)
        size = self._rows, self._length
        if size not in self._recorded:
            self._recorded[size] = self._record(self._over(*size))
            if len(self._recorded) > CAPTURED:
                self._recorded.popitem(last=False)
        self._recorded.move_to_end(size)
        return self._recorded[size]

    def _forget_stale_records(self) -> None:
        depends = what_a_record_depends_on(self._tower)  # milliseconds: once a batch
        if depends != self._depends:
            self._recorded.clear()
            self._depends = depends

    def _over(self, rows: int, length: int) -> Run:
        assert self._slots is not None
        window = self._slots.window(rows, length, masked=self._masked, shared=self._shared)
        return partial(self._step, window.ids, window.positions, window.cache, window.mask)
