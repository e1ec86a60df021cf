"""From asked rows to encoded batches: longest first, pictures decoded once a batch."""

from pathlib import Path
from typing import Any

from PIL import Image

from vlm_grpo.adapters.base import Adapter
from vlm_grpo.adapters.lengths import PromptLengths
from vlm_grpo.rows.pictures import open_picture
from vlm_grpo.tasks.asking import AskedRow


def longest_first(asked: list[AskedRow], lengths: PromptLengths) -> list[AskedRow]:
    """Sorted by prompt tokens, so that a batch pads little and memory runs out at once or not at all."""
    return sorted(asked, key=lambda prompt: (-lengths(prompt.row), prompt.row.id))


def encode(batch: list[AskedRow], *, adapter: Adapter, processor: Any, root: Path, is_blank: bool = False) -> Any:
    """Left-padded inputs of `batch`; a picture that several rows share is decoded once, a blank one whitened."""
    images = shown(batch, root=root, is_blank=is_blank)
    return adapter.encode(processor, [prompt.text for prompt in batch], images)


def shown(batch: list[AskedRow], *, root: Path, is_blank: bool = False) -> list[list[Image.Image]]:
    """The pictures of each row of `batch`, opened once each, or white ones of their size."""
    pictures = {name: open_picture(root, name) for name in {name for prompt in batch for name in prompt.row.images}}
    if is_blank:
        pictures = {name: Image.new("RGB", picture.size, "white") for name, picture in pictures.items()}
    return [[pictures[name] for name in prompt.row.images] for prompt in batch]
