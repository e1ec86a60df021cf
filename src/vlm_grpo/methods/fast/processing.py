"""Process each distinct prompt once: its picture resized and normalised, its text tokenised, the result repeated.

TRL hands every row of a generation batch to the processor twice, G equal rows a prompt. `DistinctProcessing` stands
before the processor for that time. Rows are equal when their text and their pictures' pixels are. `PictureLists` alone
repeats nothing: it takes the rows without a picture, which TRL writes as None, among others with pictures.
"""

from collections.abc import Hashable, Sequence
from hashlib import blake2b
from typing import Any

import torch
from PIL import Image
from transformers import BatchFeature

from vlm_grpo.decoding.pictures import by_row


class PictureLists:
    """`processor`, which wants a list of pictures from every row, given None by rows that show nothing."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._processor, name)

    def __call__(self, images: Any = None, text: Any = None, **settings: Any) -> BatchFeature:
        """As the processor: `images` a list for each of the texts, None where a row shows nothing."""
        lists = None if images is None else [of_row or [] for of_row in images]
        return self._processor(images=lists, text=text, **settings)


class DistinctProcessing(PictureLists):
    """`processor`, but what it is given in batches is processed once for each distinct row."""

    def __call__(self, images: Any = None, text: Any = None, **settings: Any) -> BatchFeature:
        """As the processor: `images` a list for each of the texts, None or empty where a row shows nothing."""
        if images is None:
            return self._processor(text=text, **settings)
        images = [of_row or [] for of_row in images]
        first, of_row = _distinct(list(zip(text, images, strict=True)))
        chosen = [images[row] for row in first]
        batch = self._processor(images=chosen, text=[text[row] for row in first], **settings)
        return _repeat(batch, of_row, [len(pictures) for pictures in chosen])

    def apply_chat_template(self, conversation: Any, **settings: Any) -> Any:
        """As the processor: text for one conversation, features for a list of them."""
        if not settings.get("tokenize") or not settings.get("return_dict"):
            return self._processor.apply_chat_template(conversation, **settings)
        first, of_row = _distinct(conversation)
        chosen = [conversation[row] for row in first]
        batch = self._processor.apply_chat_template(conversation=chosen, **settings)
        return _repeat(batch, of_row, [_count_images(turns) for turns in chosen])


def _distinct(rows: Sequence[Any]) -> tuple[list[int], list[int]]:
    """The row where each distinct value appears first, and the number of each row's value."""
    numbers: dict[Hashable, int] = {}
    first: list[int] = []
    of_row: list[int] = []
    for row, value in enumerate(rows):
        key = _key(value)
        if key not in numbers:
            numbers[key] = len(first)
            first.append(row)
        of_row.append(numbers[key])
    return first, of_row


def _key(value: Any) -> Hashable:
    if isinstance(value, Image.Image):
        return value.mode, value.size, blake2b(value.tobytes()).digest()
    if isinstance(value, dict):
        return tuple((name, _key(part)) for name, part in value.items())
    if isinstance(value, list | tuple):
        return tuple(_key(part) for part in value)
    return value


def _count_images(turns: list[dict[str, Any]]) -> int:
    parts = [part for turn in turns if isinstance(turn["content"], list) for part in turn["content"]]
    return sum(part["type"] == "image" for part in parts)


def _repeat(batch: BatchFeature, of_row: list[int], num_images: list[int]) -> BatchFeature:
    if len(num_images) == len(of_row):
        return batch
    pictures = by_row(batch, num_images)
    rows = {name: _take(value, of_row) for name, value in batch.items() if name not in pictures.fields}
    return BatchFeature(rows | pictures.narrow(of_row))


def _take(values: Any, rows: list[int]) -> Any:
    return values[rows] if isinstance(values, torch.Tensor) else [values[row] for row in rows]
