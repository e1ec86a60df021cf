"""From rows to encoded batches: prompts rendered once, longest first, pictures decoded once a batch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlm_grpo import prompts
from vlm_grpo.adapters.base import Adapter
from vlm_grpo.adapters.lengths import PromptLengths
from vlm_grpo.rows.pictures import open_picture
from vlm_grpo.rows.records import Row
from vlm_grpo.store.provenance import text_hash


@dataclass(frozen=True)
class Prompt:
    """A row as the model is asked: the rendered `text`, with one placeholder a picture, and its hash."""

    row: Row
    text: str

    @property
    def hash(self) -> str:
        """SHA-256 of the rendered text."""
        return text_hash(self.text)


def render(rows: list[Row], processor: Any, *, template: str) -> list[Prompt]:
    """Each row as a user turn in the checkpoint's chat format, up to the tokens that open the assistant's turn."""
    return [
        Prompt(
            row,
            processor.apply_chat_template(
                prompts.messages(template, row.problem, images=len(row.images)),
                add_generation_prompt=True,
                tokenize=False,
            ),
        )
        for row in rows
    ]


def longest_first(asked: list[Prompt], lengths: PromptLengths) -> list[Prompt]:
    """Sorted by prompt tokens, so that a batch pads little and memory runs out at once or not at all."""
    return sorted(asked, key=lambda prompt: (-lengths(prompt.row), prompt.row.id))


def encode(batch: list[Prompt], *, adapter: Adapter, processor: Any, root: Path) -> Any:
    """Left-padded inputs of `batch`; a picture that several rows share is decoded once."""
    pictures = {name: open_picture(root, name) for name in {name for prompt in batch for name in prompt.row.images}}
    images = [[pictures[name] for name in prompt.row.images] for prompt in batch]
    return adapter.encode(processor, [prompt.text for prompt in batch], images)
