"""Pictures of 100 x 100 pixels, black, with one to three white glyphs of 28 x 28 that do not overlap.

Positions are uniform over the picture; where a box would overlap another, all boxes are drawn anew. Nothing here knows
a split or a question.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from vlm_grpo.tasks.digits.glyphs import SIDE

SIZE = 100
"""Width and height of a picture in pixels."""
CELL = 25
"""A picture has 4 x 4 cells of this many pixels a side: one for each image token that a Qwen2.5-VL makes of it."""


@dataclass(frozen=True)
class Place:
    """The top left corner of a glyph's box in pixels."""

    x: int
    y: int

    @property
    def column(self) -> int:
        """The column, 0 to 3, of the cell that holds the box's centre."""
        return (self.x + SIDE // 2) // CELL

    @property
    def row(self) -> int:
        """The row, 0 to 3, of the cell that holds the box's centre."""
        return (self.y + SIDE // 2) // CELL

    @property
    def reading_order(self) -> tuple[int, int]:
        """Sorts places as they are read: cell by cell, row by row. Boxes that do not overlap never share a cell."""
        return self.row, self.column

    def overlaps(self, other: "Place") -> bool:
        """Whether the boxes at both places share a pixel."""
        return abs(self.x - other.x) < SIDE and abs(self.y - other.y) < SIDE


def draw_places(rng: random.Random, count: int) -> list[Place]:
    """`count` places whose boxes lie in the picture and do not overlap, in reading order."""
    while True:
        places = [Place(rng.randint(0, SIZE - SIDE), rng.randint(0, SIZE - SIDE)) for _ in range(count)]
        if not any(a.overlaps(b) for i, a in enumerate(places) for b in places[:i]):
            return sorted(places, key=lambda place: place.reading_order)


def render_array(glyphs: Sequence[np.ndarray], places: Sequence[Place]) -> np.ndarray:
    """The picture with each of `glyphs`, uint8 (28, 28), at its place: uint8 (100, 100)."""
    picture = np.zeros((SIZE, SIZE), dtype=np.uint8)
    for glyph, place in zip(glyphs, places, strict=True):
        picture[place.y : place.y + SIDE, place.x : place.x + SIDE] = glyph
    return picture


def render(glyphs: Sequence[np.ndarray], places: Sequence[Place]) -> Image.Image:
    """The same picture as an image of mode L."""
    return Image.fromarray(render_array(glyphs, places))
