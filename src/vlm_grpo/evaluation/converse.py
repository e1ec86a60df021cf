"""Batched decoding in several turns: an environment answers the model within its completion, as in training.

Each turn is one batch of the conversations that go on, every row read as it stands: its own tokens, the environment's,
and the pictures of both.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import BatchEncoding

from vlm_grpo.adapters.base import Adapter
from vlm_grpo.environments.base import Environment
from vlm_grpo.environments.conversation import Conversation, Turn, answered, spoken
from vlm_grpo.environments.native import NativeCalls
from vlm_grpo.evaluation import batches
from vlm_grpo.evaluation.generate import Completion, Decoder
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.asking import AskedRow

OF_TOKENS = ("input_ids", "attention_mask", "mm_token_type_ids")
"""The inputs that have a value a token; the others are the pictures'."""


@dataclass(frozen=True, kw_only=True)
class Conversing:
    """Decodes one encoded batch as `decoder` does, in the turns that the `environment` makes of it.

    `native` are its tools where the chat template has their calls. `ask` makes a row's first turn, `root` is where the
    pictures lie, `is_blank` says that they are shown white; `most_calls` is how many calls are answered. All turns of a
    row have the decoder's `max_new_tokens` together.
    """

    decoder: Decoder
    environment: Environment
    native: NativeCalls | None = None
    adapter: Adapter
    ask: Callable[[Row], list[dict[str, Any]]]
    root: Path
    is_blank: bool = False
    most_calls: int | None = None

    def __call__(self, batch: list[AskedRow], encoded: Any, *, use_cache: bool) -> list[Completion]:
        """Decode `encoded`, the inputs (B, L) of `batch`."""
        asked = zip(batch, encoded["input_ids"], encoded["attention_mask"].bool(), self._shown(batch), strict=True)
        played = [
            Conversation(_with_pictures(self.ask(row.row), pictures), ids[is_real].tolist())
            for row, ids, is_real, pictures in asked
        ]
        names = {id(conversation): row.row.id for conversation, row in zip(played, batch, strict=True)}
        going, inputs, turn = played, encoded, 1
        while going:
            rows = [names[id(one)] if turn == 1 else f"{names[id(one)]}, turn {turn}" for one in going]
            room = [self.decoder.max_new_tokens - len(one.ids) for one in going]
            said = self.decoder.say(inputs, rows, use_cache=use_cache, at_most=max(room))
            for one, ids, most in zip(going, said, room, strict=True):
                one.model_says(ids[:most], self.decoder.text(ids[:most]), None)
            going = self._answered(going)
            inputs, turn = self._encoded(going) if going else None, turn + 1
        return [self._completion(row, one) for row, one in zip(batch, played, strict=True)]

    def _answered(self, going: list[Conversation]) -> list[Conversation]:
        ends, longest, most = self.decoder.end_tokens, self.decoder.max_new_tokens, self.most_calls
        if self.native is not None:
            return self.native.answered(going, ends=ends, longest=longest, most_calls=most)
        processor = self.decoder.processor
        return answered(going, self.environment, processor, ends=ends, longest=longest, most_calls=most)

    def _shown(self, batch: list[AskedRow]) -> list[list[Any]]:
        return batches.shown(batch, root=self.root, is_blank=self.is_blank)

    def _encoded(self, going: list[Conversation]) -> BatchEncoding:
        """Left-padded inputs of conversations that the environment has answered."""
        processor = self.decoder.processor
        texts = [processor.apply_chat_template(one.shown, add_generation_prompt=True, tokenize=False) for one in going]
        fields = dict(self.adapter.encode(processor, texts, [one.asked + one.added for one in going]))
        read = [torch.tensor(one.prompt_ids + one.ids) for one in going]
        ids = _left_padded(read, processor.tokenizer.pad_token_id)
        per_token = {"input_ids": ids, "attention_mask": _left_padded([torch.ones_like(row) for row in read], 0)}
        if "mm_token_type_ids" in fields:
            per_token["mm_token_type_ids"] = (ids == self.decoder.model.config.image_token_id).long()
        assert fields.keys() & set(OF_TOKENS) <= per_token.keys()
        return BatchEncoding(fields | per_token)

    def _completion(self, prompt: AskedRow, played: Conversation) -> Completion:
        reason = "length" if played.is_cut else self.decoder.finish_reason(played.ids)
        return Completion(
            prompt, played.said[-1], len(played.prompt_ids), len(played.ids), reason, turns=spoken(played.turns)
        )


def _with_pictures(turns: list[dict[str, Any]], pictures: list[Any]) -> list[Turn]:
    """The one turn of `turns` with each of its `pictures` in its place."""
    waiting = iter(pictures)
    (turn,) = turns
    parts = [{**part, "image": next(waiting)} if part["type"] == "image" else part for part in turn["content"]]
    return [{**turn, "content": parts}]


def _left_padded(rows: list[torch.Tensor], value: int) -> torch.Tensor:
    length = max(len(row) for row in rows)
    return torch.stack([torch.cat([row.new_full((length - len(row),), value), row]) for row in rows])
