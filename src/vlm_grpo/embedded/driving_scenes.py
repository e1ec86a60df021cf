"""Road-like scenes: three or four things of known name and box, each in one cell of a tinted 4 x 4 grid.

Cars, lights and signs are the squares, circles and triangles of `scenes`, with wheels, lamps and a mark. A picture has
224 x 224 pixels and the processor makes 112 x 112 of it, 4 x 4 image tokens, one a cell; `seen` does the same. Every
edge lies on an even pixel, so that a box has whole coordinates in the picture and as the model sees it. A *layout*
belongs to one pool for ever, as in `scenes`, and to the one that it has there: who learnt on the one's training pool
has met no held-out layout of the other.
"""

import random
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from vlm_grpo.embedded.scenes import COLOURS, GRID, SIZE, Scene, backdrop, pool_of
from vlm_grpo.embedded.scenes import Thing as Shape

SCALE = 2
"""Pixels of the picture for one that the model sees."""
SIDE = SCALE * SIZE
"""Width and height of a picture in pixels."""
CELL = SIDE // GRID
WIDTH = 44
"""Width and height of a thing in pixels."""
SHIFTS = (-4, 0, 4)
"""How far from the centre of its cell a thing is along each axis, in pixels."""
SHAPES = {"car": "square", "light": "circle", "sign": "triangle"}
"""What stands on a road, and its shape."""
COUNTS = (3, 4)
DARK = (40, 40, 40)


@dataclass(frozen=True, order=True)
class Thing:
    """One thing: colour, kind, its cell (`column`, `row` from 0) and its shift from the cell's centre in pixels."""

    colour: str
    kind: str
    column: int
    row: int
    dx: int = 0
    dy: int = 0

    @property
    def name(self) -> str:
        """What texts call it."""
        return f"{self.colour} {self.kind}"

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom edge in pixels of the picture; right and bottom are exclusive."""
        margin = (CELL - WIDTH) // 2
        left, top = self.column * CELL + margin + self.dx, self.row * CELL + margin + self.dy
        return left, top, left + WIDTH, top + WIDTH

    @property
    def side(self) -> str:
        """The half of the picture that it is in: "left" or "right"."""
        return "left" if self.column < GRID // 2 else "right"

    @property
    def distance(self) -> str:
        """The half of the picture that it is in: "far" (above) or "near"."""
        return "far" if self.row < GRID // 2 else "near"


@dataclass(frozen=True)
class DrivingScene:
    """Things with colours and cells of their own."""

    things: tuple[Thing, ...]

    @property
    def layout(self) -> str:
        """The layout in `scenes` of what the picture shows, without shifts and without order."""
        return Scene(tuple(Shape(t.colour, SHAPES[t.kind], t.column + 1, t.row + 1) for t in self.things)).layout


def draw_scene(rng: random.Random, *, pool: str, counts: tuple[int, ...] = COUNTS) -> DrivingScene:
    """A scene of three or four things, or as many as `counts` says, whose layout belongs to `pool`."""
    while True:
        count = rng.choice(counts)
        colours, cells = rng.sample(list(COLOURS), count), rng.sample(range(GRID**2), count)
        scene = DrivingScene(tuple(_draw(rng, colour, cell) for colour, cell in zip(colours, cells, strict=True)))
        if pool_of(scene.layout) == pool:
            return scene


def _draw(rng: random.Random, colour: str, cell: int) -> Thing:
    kind, dx, dy = rng.choice(list(SHAPES)), rng.choice(SHIFTS), rng.choice(SHIFTS)
    return Thing(colour=colour, kind=kind, column=cell % GRID, row=cell // GRID, dx=dx, dy=dy)


def _road() -> np.ndarray:
    picture = backdrop().repeat(SCALE, axis=0).repeat(SCALE, axis=1)
    middle = SIDE // 2
    for top in range(middle + 8, SIDE, 28):
        picture[top : top + 14, middle - 2 : middle + 2] = DARK
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
    right, bottom, middle, colour = right - 1, bottom - 1, (left + right) // 2, COLOURS[thing.colour]
    match thing.kind:
        case "car":
            draw.rectangle((left, top, right, bottom), fill=colour)
            for wheel in (left + 2, right - 14):
                draw.ellipse((wheel, bottom - 10, wheel + 12, bottom), fill=DARK)
        case "light":
            draw.ellipse((left, top, right, bottom), fill=colour)
            for lamp in (top + 8, top + 19, top + 30):
                draw.rectangle((middle - 2, lamp, middle + 2, lamp + 4), fill=DARK)
        case "sign":
            draw.polygon([(middle, top), (right, bottom), (left, bottom)], fill=colour)
            draw.rectangle((middle - 2, top + 18, middle + 2, bottom - 8), fill=DARK)
        case kind:
            raise ValueError(f"unknown thing {kind!r}")


def seen(scene: DrivingScene) -> np.ndarray:
    """The picture of `scene` as the processor resizes it: uint8 (112, 112, 3)."""
    return np.asarray(render(scene).resize((SIZE, SIZE), Image.Resampling.BICUBIC))
