"""Prompts copied without their pictures.

TRL copies a batch's prompts deeply before it draws completions, so that lists may be changed; of a picture of 640 x 480
a copy takes 5 ms, and nothing changes one.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from PIL import Image


@contextmanager
def pictures_uncopied(prompts: Any) -> Iterator[None]:
    """Within the context a deep copy of `prompts`, in nested lists and mappings, holds their very pictures."""
    pictures = {id(picture): picture for picture in _pictures(prompts)}.values()
    for picture in pictures:
        vars(picture)["__deepcopy__"] = partial(_itself, picture)
    try:
        yield
    finally:
        for picture in pictures:
            del vars(picture)["__deepcopy__"]


def _itself(picture: Image.Image, _: Any) -> Image.Image:
    return picture


def _pictures(value: Any) -> Iterator[Image.Image]:
    if isinstance(value, Image.Image):
        yield value
    elif isinstance(value, list | tuple | Mapping):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _pictures(part)
