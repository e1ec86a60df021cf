"""Tiny tables of a cipher: eight pairs of letters in a picture of 112 x 112 pixels, one a tile of 28 x 28.

A red letter stands for the blue one beside it. Eight of the sixteen tiles hold a pair; a tile's tint tells its place.
A *mapping* is as in `tasks.cryptogram.cipher`, over `LETTERS`. Pretraining draws messages and mappings of the training
pool, each split of the data those of its own.
"""

import functools
import random
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vlm_grpo.embedded.scenes import CELL, GRID, SIZE
from vlm_grpo.tasks.cryptogram.cipher import decode, draw_mapping, pool_of

LETTERS = "aeinorst"
SHAPES = ((2,), (3,), (4,), (2, 2), (2, 3), (3, 2))
"""How many letters the words of a message have."""
CODE_INK, PLAIN_INK = (200, 0, 0), (0, 0, 200)
_CODE_AT, _PLAIN_AT, _TOP = 2, 16, 6
_FONT_PIXELS = 13
_TINT = 12


@dataclass(frozen=True)
class CipherScene:
    """What a picture shows: the pairs of `codes` under a `mapping` of `LETTERS`, each in its cell (0 to 15, by row)."""

    mapping: str
    cells: tuple[int, ...]
    codes: str = LETTERS

    @property
    def plains(self) -> str:
        """What each of `codes` stands for."""
        return decode(self.codes, self.mapping, LETTERS)

    @property
    def pairs(self) -> list[str]:
        """The pairs in the order of the code's alphabet: "ra" where `r` stands for `a`."""
        return [code + plain for code, plain in zip(self.codes, self.plains, strict=True)]


def draw_scene(rng: random.Random, *, pool: str, pairs: int = len(LETTERS)) -> CipherScene:
    """A scene whose mapping belongs to `pool`, and which shows so many of its `pairs`."""
    mapping = draw_mapping(rng, LETTERS)
    while pool_of(mapping) != pool:
        mapping = draw_mapping(rng, LETTERS)
    codes = "".join(sorted(rng.sample(LETTERS, pairs)))
    return CipherScene(mapping, tuple(rng.sample(range(GRID**2), pairs)), codes)


def draw_message(rng: random.Random, *, pool: str) -> str:
    """Random letters in one of the `SHAPES`: a message of `pool`."""
    while True:
        message = " ".join("".join(rng.choices(LETTERS, k=length)) for length in rng.choice(SHAPES))
        if pool_of(message) == pool:
            return message


def cells_of(scene: CipherScene) -> list[int]:
    """For each of the sixteen cells 0 where there is no pair, otherwise the number of its pair (1 to 64)."""
    classes = [0] * GRID**2
    for cell, code, plain in zip(scene.cells, scene.codes, scene.plains, strict=True):
        classes[cell] = 1 + LETTERS.index(code) * len(LETTERS) + LETTERS.index(plain)
    return classes


def render_array(scene: CipherScene) -> np.ndarray:
    """The picture of `scene` as uint8 RGB of shape (112, 112, 3)."""
    return np.asarray(render(scene))


def render(scene: CipherScene) -> Image.Image:
    """The same picture as an image."""
    picture = _backdrop().copy()
    for cell, code, plain in zip(scene.cells, scene.codes, scene.plains, strict=True):
        picture.paste(_tile(code, plain, cell), (cell % GRID * CELL, cell // GRID * CELL))
    return picture


@functools.cache
def _tile(code: str, plain: str, cell: int) -> Image.Image:
    left, top = cell % GRID * CELL, cell // GRID * CELL
    tile = _backdrop().crop((left, top, left + CELL, top + CELL))
    draw = ImageDraw.Draw(tile)
    draw.text((_CODE_AT, _TOP), code.upper(), fill=CODE_INK, font=_font())
    draw.text((_PLAIN_AT, _TOP), plain.upper(), fill=PLAIN_INK, font=_font())
    return tile


@functools.cache
def _backdrop() -> Image.Image:
    picture = Image.new("RGB", (SIZE, SIZE), "white")
    draw = ImageDraw.Draw(picture)
    for cell in range(GRID**2):
        column, row = cell % GRID, cell // GRID
        corner = column * CELL, row * CELL
        tint = (255, 245 - column * _TINT, 245 - row * _TINT)
        draw.rectangle((*corner, corner[0] + CELL - 1, corner[1] + CELL - 1), fill=tint)
    return picture


@functools.cache
def _font() -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"), _FONT_PIXELS)
