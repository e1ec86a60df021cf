"""Completions that begin with a thought put into the model's mouth: part of what is read, not of what is learnt.

`Begun` stands before the processor and lets each prompt of a batch end in its row's thought, so that the model samples
what follows; the thought's tokens are the prompt's and earn no gradient. Rewards, metrics and `completions.jsonl` read
thought and completion as one text.

Left out: vLLM, which reads prompts by itself, and environments, which answer the model in turns.
"""

from collections.abc import Sequence
from typing import Any

from vlm_grpo.errors import UserError
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.asking import beginning_of


class Begun:
    """`processor`, which is given the prompts of the rows whose completions begin with `beginnings`, in their order."""

    def __init__(self, processor: Any, beginnings: Sequence[str]) -> None:
        self._processor, self._beginnings = processor, beginnings

    def __getattr__(self, name: str) -> Any:
        return getattr(self._processor, name)

    def __call__(self, images: Any = None, text: Any = None, **settings: Any) -> Any:
        """As the processor, with each text going on in its row's beginning."""
        return self._processor(images=images, text=self._begun(text), **settings)

    def apply_chat_template(self, conversation: Any, **settings: Any) -> Any:
        """As the processor: text for one conversation, features for the list of all rows'."""
        if not settings.get("tokenize") or not settings.get("return_dict"):
            return self._processor.apply_chat_template(conversation, **settings)
        rendering = {name: value for name, value in settings.items() if name != "return_dict"} | {"tokenize": False}
        texts = [self._processor.apply_chat_template(turns, **rendering) for turns in conversation]
        shown = [_pictures(turns) for turns in conversation]
        return self._processor(images=shown if any(shown) else None, text=self._begun(texts))

    def _begun(self, texts: Sequence[str]) -> list[str]:
        return [text + beginning for text, beginning in zip(texts, self._beginnings, strict=True)]


def _pictures(turns: Sequence[dict[str, Any]]) -> list[Any]:
    parts = [part for turn in turns if isinstance(turn["content"], list) for part in turn["content"]]
    return [part["image"] for part in parts if part["type"] == "image"]


def check_beginnings(rows: Sequence[Row], *, use_vllm: bool, environment: str | None) -> None:
    """`UserError` where some of `rows` begin with a thought and what generates cannot go on from one."""
    if not any(beginning_of(row) for row in rows):
        return
    if use_vllm or environment is not None:
        other = "vLLM reads prompts by itself" if use_vllm else f"environment {environment} answers in turns"
        raise UserError(f"right_thoughts and wrong_thoughts begin completions, and {other}; leave one of them out")
