"""Scenes for grounding: one to three coloured shapes of known box and mask, each in one cell of a tinted 4 x 4 grid.

A picture has 224 x 224 pixels and the processor makes 112 x 112 of it, 4 x 4 image tokens, one a cell; `seen` does the
same. Every edge lies on a grid of `UNIT` pixels, so a box has whole coordinates in the picture and as the model sees
it. A *layout* (which shapes in which colours in which cells) belongs to one pool for ever, as in `scenes`.
"""

import random
from dataclasses import dataclass

import numpy as np
from PIL import Image

from vlm_grpo.embedded.scenes import COLOURS, GRID, SIZE, backdrop, pool_of

SCALE = 2
"""Pixels of the picture for one that the model sees."""
SIDE = SCALE * SIZE
"""Width and height of a picture in pixels."""
UNIT = 8
"""Edges lie on multiples of so many pixels."""
CELL = SIDE // GRID // UNIT
"""Width and height of a cell in units."""
SHAPES = ("ellipse", "rectangle", "triangle")
"""A triangle points to the right."""
LEAST, MOST = 3, 6
"""Width and height of a shape in units."""
COUNTS = (1, 2, 3)
_CUT = 1 - 2**-0.5
"""What an octagon around an ellipse cuts off its box's corners, as a share of width and height."""


@dataclass(frozen=True, order=True)
class Shape:
    """One shape: colour, kind, cell (`column`, `row` from 0), and in units its place in the cell and its size."""

    colour: str
    kind: str
    column: int
    row: int
    left: int
    top: int
    width: int
    height: int

    @property
    def name(self) -> str:
        """What texts call it."""
        return f"{self.colour} {self.kind}"

    @property
    def box(self) -> list[int]:
        """Left, top, right and bottom edge in pixels of the picture; right and bottom are exclusive."""
        left, top = self.column * CELL + self.left, self.row * CELL + self.top
        return [UNIT * edge for edge in (left, top, left + self.width, top + self.height)]

    @property
    def cell_box(self) -> list[int]:
        """The box of its cell."""
        left, top = self.column * CELL, self.row * CELL
        return [UNIT * edge for edge in (left, top, left + CELL, top + CELL)]

    @property
    def corners(self) -> list[list[int]]:
        """Its outline in pixels of the picture, whole as the model sees it too; an ellipse has eight corners."""
        left, top, right, bottom = self.box
        across, down = (SCALE * round(_CUT * side / SCALE) for side in (right - left, bottom - top))
        match self.kind:
            case "rectangle":
                return [[left, top], [right, top], [right, bottom], [left, bottom]]
            case "triangle":
                return [[left, top], [right, (top + bottom) // 2], [left, bottom]]
        return [
            *([left + across, top], [right - across, top], [right, top + down], [right, bottom - down]),
            *([right - across, bottom], [left + across, bottom], [left, bottom - down], [left, top + down]),
        ]

    def mask(self) -> np.ndarray:
        """Its pixels: bool (SIDE, SIDE), reaching every edge of its box."""
        left, top, right, bottom = self.box
        mask = np.zeros((SIDE, SIDE), dtype=bool)
        mask[top:bottom, left:right] = _stamp(self.kind, right - left, bottom - top)
        return mask


@dataclass(frozen=True)
class GroundingScene:
    """Shapes with colours and cells of their own, in the order of `COLOURS`."""

    shapes: tuple[Shape, ...]

    @property
    def layout(self) -> str:
        """What the picture shows, whatever the shapes' sizes and places within their cells."""
        return "; ".join(f"{s.name} {s.column},{s.row}" for s in self.shapes)


def draw_scene(rng: random.Random, *, pool: str, counts: tuple[int, ...] = COUNTS) -> GroundingScene:
    """A scene of one to three shapes, or as many as `counts` says, whose layout belongs to `pool`."""
    while True:
        count = rng.choice(counts)
        colours = sorted(rng.sample(list(COLOURS), count), key=list(COLOURS).index)
        cells = rng.sample(range(GRID**2), count)
        scene = GroundingScene(tuple(_draw(rng, colour, cell) for colour, cell in zip(colours, cells, strict=True)))
        if pool_of(scene.layout) == pool:
            return scene


def _draw(rng: random.Random, colour: str, cell: int) -> Shape:
    width, height = rng.randint(LEAST, MOST), rng.randint(LEAST, MOST)
    return Shape(
        colour=colour,
        kind=rng.choice(SHAPES),
        column=cell % GRID,
        row=cell // GRID,
        left=rng.randint(0, CELL - width),
        top=rng.randint(0, CELL - height),
        width=width,
        height=height,
    )


def _stamp(kind: str, width: int, height: int) -> np.ndarray:
    """Which pixels of a box a shape of `kind` covers: bool (height, width)."""
    y, x = np.mgrid[:height, :width]
    across, down = (x + 0.5) / width * 2 - 1, (y + 0.5) / height * 2 - 1
    match kind:
        case "ellipse":
            return across**2 + down**2 <= 1
        case "rectangle":
            return np.ones((height, width), dtype=bool)
        case "triangle":
            return np.abs(down) <= np.maximum((1 - across) / 2, 1 / height)
    raise ValueError(f"unknown shape {kind!r}")


_BACKDROP = backdrop().repeat(SCALE, axis=0).repeat(SCALE, axis=1)


def render(scene: GroundingScene) -> Image.Image:
    """The picture of `scene` as an RGB image of SIDE x SIDE pixels."""
    picture = _BACKDROP.copy()
    for shape in scene.shapes:
        left, top, right, bottom = shape.box
        picture[top:bottom, left:right][_stamp(shape.kind, right - left, bottom - top)] = COLOURS[shape.colour]
    return Image.fromarray(picture)


def seen(scene: GroundingScene) -> np.ndarray:
    """The picture of `scene` as the processor resizes it: uint8 (112, 112, 3)."""
    return np.asarray(render(scene).resize((SIZE, SIZE), Image.Resampling.BICUBIC))
