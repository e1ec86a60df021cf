"""Process each distinct prompt once: its picture resized and normalised, its text tokenised, the result repeated.

TRL hands every row of a generation batch to the processor twice, G equal rows a prompt. `DistinctProcessing` stands
before the processor for that time. Rows are equal when their text and their pictures' pixels are. Token ids come out
repeated, pictures once, with the column `SHARED`: they are repeated where the model is (`repeat_pictures`), since eight
copies of a picture take longer to make and to move than to use. `PictureLists` alone repeats nothing: it takes the rows
without a picture, which TRL writes as None, among others with pictures. Both count tiles without making them anew.
"""

from collections.abc import Hashable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import torch
from PIL import Image
from transformers import BatchFeature

from vlm_grpo.decoding.pictures import by_row, counts_of

SHARED, SHARED_COUNTS = "pictures_of_row", "pictures_in_each"
"""Columns of what was processed once: which of the distinct rows each row is, and how many pictures these show, or how
many tiles where those of all rows lie in one tensor."""
KnownPictures = dict[int, tuple[Image.Image, Hashable]]
"""The content of pictures by their identity, which is theirs as long as they are kept here."""


class TileCounts:
    """`image_processor`, but where TRL cuts the pictures of all rows again to count their tiles, they are counted."""

    def __init__(self, image_processor: Any) -> None:
        self._image_processor = image_processor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._image_processor, name)

    def __call__(self, images: Any, **settings: Any) -> Any:
        """As the image processor; with `crop_to_patches`, which only that count sets, `num_patches` of each picture."""
        if "crop_to_patches" not in settings:
            return self._image_processor(images=images, **settings)
        count = self._image_processor.get_number_of_image_patches
        pictures = [picture for of_row in images for picture in of_row or ()]
        return {"num_patches": torch.tensor([count(shown.height, shown.width, settings) for shown in pictures])}


class PictureLists:
    """`processor`, which wants a list of pictures from every row, given None by rows that show nothing."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor

    def __getattr__(self, name: str) -> Any:
        own = getattr(self._processor, name)
        return TileCounts(own) if name == "image_processor" else own

    def __call__(self, images: Any = None, text: Any = None, **settings: Any) -> BatchFeature:
        """As the processor: `images` a list for each of the texts, None where a row shows nothing."""
        lists = None if images is None else [of_row or [] for of_row in images]
        return self._processor(images=lists, text=text, **settings)


class DistinctProcessing(PictureLists):
    """`processor`, but what it is given in batches is processed once for each distinct row.

    `known` are the pictures whose content is known already.
    """

    def __init__(self, processor: Any, known: KnownPictures | None = None) -> None:
        super().__init__(processor)
        self._known: KnownPictures = {} if known is None else known

    def __call__(self, images: Any = None, text: Any = None, **settings: Any) -> BatchFeature:
        """As the processor: `images` a list for each of the texts, None or empty where a row shows nothing."""
        if images is None:
            return self._processor(text=text, **settings)
        images = [of_row or [] for of_row in images]
        first, of_row = distinct(list(zip(text, images, strict=True)), self._known)
        chosen = [images[row] for row in first]
        batch = self._processor(images=chosen, text=[text[row] for row in first], **settings)
        return self._repeat(batch, of_row, [len(pictures) for pictures in chosen])

    def apply_chat_template(self, conversation: Any, **settings: Any) -> Any:
        """As the processor: text for one conversation, features for a list of them."""
        if not settings.get("tokenize") or not settings.get("return_dict"):
            return self._processor.apply_chat_template(conversation, **settings)
        first, of_row = distinct(conversation, self._known)
        chosen = [conversation[row] for row in first]
        batch = self._processor.apply_chat_template(conversation=chosen, **settings)
        return self._repeat(batch, of_row, [_count_images(turns) for turns in chosen])

    def _repeat(self, batch: BatchFeature, of_row: list[int], num_images: list[int]) -> BatchFeature:
        if len(num_images) == len(of_row):
            return batch
        ids, pixels = batch["input_ids"], batch.get("pixel_values")
        prompts = ids.tolist() if isinstance(ids, torch.Tensor) else ids
        counts = counts_of(prompts, pixels, num_images, placeholder=self._processor.image_token_id) or ()
        pictures = by_row(batch, counts)
        rows = {name: _take(value, of_row) for name, value in batch.items() if name not in pictures.fields}
        shared = {SHARED: torch.tensor(of_row), SHARED_COUNTS: torch.tensor(counts)} if pictures.fields else {}
        return BatchFeature(rows | pictures.fields | shared)


def distinct(rows: Sequence[Any], known: KnownPictures) -> tuple[list[int], list[int]]:
    """The row where each distinct value appears first, and the number of each row's value."""
    numbers: dict[Hashable, int] = {}
    first: list[int] = []
    of_row: list[int] = []
    for row, value in enumerate(rows):
        key = content_key(value, known)
        if key not in numbers:
            numbers[key] = len(first)
            first.append(row)
        of_row.append(numbers[key])
    return first, of_row


def content_key(value: Any, known: KnownPictures) -> Hashable:
    """Equal for equal content; pictures that are not `known` are looked at, and known afterwards."""
    if isinstance(value, Image.Image):
        if id(value) not in known:
            known[id(value)] = value, (value.mode, value.size, blake2b(value.tobytes()).digest())
        return known[id(value)][1]
    if isinstance(value, Mapping):
        return tuple((name, content_key(part, known)) for name, part in value.items())
    if isinstance(value, list | tuple):
        return tuple(content_key(part, known) for part in value)
    return value


def _count_images(turns: list[dict[str, Any]]) -> int:
    parts = [part for turn in turns if isinstance(turn["content"], list) for part in turn["content"]]
    return sum(part["type"] == "image" for part in parts)


def repeat_pictures(batch: Mapping[str, Any]) -> dict[str, Any]:
    """`batch` with the pictures of each row, those that rows share repeated on the device where they are."""
    pictures = by_row(batch, batch[SHARED_COUNTS].tolist())
    repeated = pictures.narrow(batch[SHARED].tolist())
    kept = {name: value for name, value in batch.items() if name not in (*pictures.fields, SHARED, SHARED_COUNTS)}
    return kept | repeated


def _take(values: Any, rows: list[int]) -> Any:
    return values[rows] if isinstance(values, torch.Tensor) else [values[row] for row in rows]
