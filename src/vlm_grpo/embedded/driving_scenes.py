"""Road-like scenes: two to four coloured things of known name and box, each in one cell of a tinted 4 x 4 grid.

The upper half is sky, the lower half road with a dashed line between its sides. A picture has 224 x 224 pixels and the
processor makes 112 x 112 of it, 4 x 4 image tokens, one a cell; `seen` does the same. Every edge lies on a grid of
`UNIT` pixels, so that a box has whole coordinates in the picture and as the model sees it. A *layout* (which things in
which cells) belongs to one pool for ever, as in `scenes`.
"""

import random
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from vlm_grpo.embedded.scenes import COLOURS, GRID, SIZE, backdrop, pool_of

SCALE = 2
"""Pixels of the picture for one that the model sees."""
SIDE = SCALE * SIZE
"""Width and height of a picture in pixels."""
UNIT = 8
"""Edges lie on multiples of so many pixels."""
CELL = SIDE // GRID // UNIT
"""Width and height of a cell in units."""
SIZES = {"car": (6, 4), "sign": (4, 6), "light": (3, 6), "cone": (4, 4)}
"""What stands on a road: its width and height in units."""
NAMES = tuple(f"{colour} {kind}" for colour in COLOURS for kind in SIZES)
COUNTS = (2, 3, 4)
DARK = (40, 40, 40)
ASPHALT = 0.75
"""How bright the road is beside the sky."""


@dataclass(frozen=True, order=True)
class Thing:
    """One thing: its name, its cell (`column`, `row` from 0) and, in units, its place in the cell."""

    name: str
    column: int
    row: int
    left: int
    top: int

    @property
    def box(self) -> list[int]:
        """Left, top, right and bottom edge in pixels of the picture; right and bottom are exclusive."""
        width, height = SIZES[kind_of(self.name)]
        left, top = self.column * CELL + self.left, self.row * CELL + self.top
        return [UNIT * edge for edge in (left, top, left + width, top + height)]

    @property
    def side(self) -> str:
        """The half of the picture that it is in."""
        return "left" if self.column < GRID // 2 else "right"


@dataclass(frozen=True)
class DrivingScene:
    """Things with names and cells of their own, row by row from the upper left."""

    things: tuple[Thing, ...]

    @property
    def layout(self) -> str:
        """What the picture shows, wherever in its cell a thing is."""
        return "; ".join(f"{thing.name} {thing.column},{thing.row}" for thing in self.things)


def kind_of(name: str) -> str:
    """What kind of thing `name` names."""
    return name.partition(" ")[2]


def colour_of(name: str) -> str:
    """The colour that `name` names."""
    return name.partition(" ")[0]


def draw_scene(rng: random.Random, *, pool: str, counts: tuple[int, ...] = COUNTS) -> DrivingScene:
    """A scene of two to four things, or as many as `counts` says, whose layout belongs to `pool`."""
    while True:
        count = rng.choice(counts)
        cells = sorted(rng.sample(range(GRID**2), count))
        names = rng.sample(NAMES, count)
        scene = DrivingScene(tuple(_draw(rng, name, cell) for name, cell in zip(names, cells, strict=True)))
        if pool_of(scene.layout) == pool:
            return scene


def _draw(rng: random.Random, name: str, cell: int) -> Thing:
    width, height = SIZES[kind_of(name)]
    left, top = rng.randint(0, CELL - width), rng.randint(0, CELL - height)
    return Thing(name=name, column=cell % GRID, row=cell // GRID, left=left, top=top)


def _road() -> np.ndarray:
    picture = backdrop().repeat(SCALE, axis=0).repeat(SCALE, axis=1)
    middle = SIDE // 2
    picture[middle:] = (picture[middle:] * ASPHALT).astype(np.uint8)
    for top in range(middle, SIDE, 4 * UNIT):
        picture[top + UNIT : top + 3 * UNIT, middle - 2 : middle + 2] = 255
    return picture


_ROAD = _road()


def render(scene: DrivingScene) -> Image.Image:
    """The picture of `scene` as an RGB image of SIDE x SIDE pixels; a thing reaches every edge of its box."""
    picture = Image.fromarray(_ROAD.copy())
    draw = ImageDraw.Draw(picture)
    for thing in scene.things:
        _paint(draw, thing)
    return picture


def _paint(draw: ImageDraw.ImageDraw, thing: Thing) -> None:
    left, top, right, bottom = thing.box
    right, bottom = right - 1, bottom - 1
    colour = COLOURS[colour_of(thing.name)]
    match kind_of(thing.name):
        case "car":
            draw.rectangle((left + UNIT, top, right - UNIT, bottom - UNIT), fill=colour)
            draw.rectangle((left, top + UNIT, right, bottom - UNIT), fill=colour)
            for wheel in (left + UNIT // 2, right - 2 * UNIT - UNIT // 2):
                draw.ellipse((wheel, bottom - 2 * UNIT, wheel + 2 * UNIT, bottom), fill=DARK)
        case "sign":
            middle = (left + right) // 2
            draw.rectangle((middle - 2, top + UNIT, middle + 2, bottom), fill=DARK)
            draw.ellipse((left, top, right, top + right - left), fill=colour)
        case "light":
            draw.rectangle((left, top, right, bottom), fill=DARK)
            for lamp in range(3):
                high = top + 2 * UNIT * lamp
                draw.ellipse((left + 2, high, right - 2, high + 2 * UNIT - 2), fill=colour)
        case "cone":
            draw.polygon([((left + right) // 2, top), (right, bottom), (left, bottom)], fill=colour)
            draw.rectangle((left, bottom - 3, right, bottom), fill=colour)
        case kind:
            raise ValueError(f"unknown thing {kind!r}")


def seen(scene: DrivingScene) -> np.ndarray:
    """The picture of `scene` as the processor resizes it: uint8 (112, 112, 3)."""
    return np.asarray(render(scene).resize((SIZE, SIZE), Image.Resampling.BICUBIC))
