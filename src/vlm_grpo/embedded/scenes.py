"""Scenes of two coloured shapes on a tinted 4 x 4 grid: drawing them, describing them, and keeping splits apart.

A *layout* is what a scene shows once small shifts are ignored: which shapes, in which colours, in which cells. Every
layout belongs for ever to one of three pools (`pool_of`), by a hash that knows no seed. The data set draws each split
from its own pool and pretraining draws from the training pool only, so no model has met a layout it is tested on.

The backdrop's red and green tint tell the column and the row of a cell: a model of a million parameters then learns to
see in minutes. Nothing here needs torch.
"""

import hashlib
import random
from dataclasses import dataclass

import numpy as np
from PIL import Image

SIZE = 112
"""Width and height of a picture in pixels."""
GRID = 4
"""Cells per side; columns and rows are counted from 1, left to right and top to bottom."""
CELL = SIZE // GRID
RADIUS = 11
"""Half the width of a shape in pixels."""
SHIFT = 2
"""A shape's centre lies at most this many pixels from the centre of its cell, along each axis."""

COLOURS = {
    "red": (214, 39, 40),
    "blue": (31, 119, 180),
    "green": (44, 160, 44),
    "yellow": (255, 217, 47),
}
SHAPES = ("circle", "square", "triangle")
RELATIONS = ("left of", "right of", "above", "below")
POOLS = ("train", "validation", "test")
_HELD_OUT = {0: "validation", 1: "test"}
_POOL_MODULUS = 8


@dataclass(frozen=True, order=True)
class Thing:
    """One shape of a scene: colour, shape, cell (`column`, `row` from 1) and shift from the cell's centre in pixels."""

    colour: str
    shape: str
    column: int
    row: int
    dx: int = 0
    dy: int = 0

    @property
    def name(self) -> str:
        """What texts call it."""
        return f"{self.colour} {self.shape}"


@dataclass(frozen=True)
class Scene:
    """Things with colours and cells of their own, in the order in which texts mention them."""

    things: tuple[Thing, ...]

    @property
    def layout(self) -> str:
        """What the picture shows, without shifts and without order: the identity that splits must not share."""
        return "; ".join(f"{t.colour} {t.shape} {t.column},{t.row}" for t in sorted(self.things))


def pool_of(layout: str) -> str:
    """The pool ("train", "validation" or "test") of `layout`: one layout in eight for each held-out pool."""
    digest = hashlib.sha256(layout.encode()).digest()
    return _HELD_OUT.get(digest[0] % _POOL_MODULUS, "train")


def random_scene(rng: random.Random, things: int) -> Scene:
    """A scene of `things` shapes (1 to 4) with distinct colours in distinct cells."""
    colours = rng.sample(sorted(COLOURS), things)
    cells = rng.sample(range(GRID * GRID), things)
    return Scene(
        tuple(
            Thing(
                colour=colour,
                shape=rng.choice(SHAPES),
                column=cell % GRID + 1,
                row=cell // GRID + 1,
                dx=rng.randint(-SHIFT, SHIFT),
                dy=rng.randint(-SHIFT, SHIFT),
            )
            for colour, cell in zip(colours, cells, strict=True)
        )
    )


def pair_scene(rng: random.Random, *, relation: str, label: bool, pool: str) -> Scene:
    """A scene of two shapes from `pool` of which "first `relation` second" is `label`, never by a tie."""
    while True:
        scene = random_scene(rng, 2)
        first, second = scene.things
        decided = not _tied(relation, first, second) and holds(relation, first, second) == label
        if decided and pool_of(scene.layout) == pool:
            return scene


def _tied(relation: str, first: Thing, second: Thing) -> bool:
    return first.column == second.column if axis_of(relation) == "column" else first.row == second.row


def axis_of(relation: str) -> str:
    """What decides `relation`: "column" or "row"."""
    return "column" if relation in ("left of", "right of") else "row"


def holds(relation: str, first: Thing, second: Thing) -> bool:
    """Whether "`first` is `relation` `second`" is true."""
    match relation:
        case "left of":
            return first.column < second.column
        case "right of":
            return first.column > second.column
        case "above":
            return first.row < second.row
        case "below":
            return first.row > second.row
    raise ValueError(f"unknown relation {relation!r}")


def caption_of(scene: Scene, relation: str) -> str:
    """The statement about the two things of `scene`, in VSR's manner."""
    first, second = scene.things
    return f"The {first.name} is {relation} the {second.name}."


def backdrop() -> np.ndarray:
    """A white picture of SIZE x SIZE pixels whose red and green fade by column and by row of the grid."""
    steps = np.arange(SIZE) // CELL
    tint = (255 - 40 * steps).astype(np.uint8)
    picture = np.full((SIZE, SIZE, 3), 255, dtype=np.uint8)
    picture[:, :, 0] = tint[None, :]
    picture[:, :, 1] = tint[:, None]
    return picture


def _stamps() -> dict[str, np.ndarray]:
    y, x = np.mgrid[-RADIUS : RADIUS + 1, -RADIUS : RADIUS + 1]
    return {
        "circle": x**2 + y**2 <= RADIUS**2,
        "square": np.ones_like(x, dtype=bool),
        "triangle": 2 * np.abs(x) <= y + RADIUS,
    }


_BACKDROP = backdrop()
_STAMPS = _stamps()


def render_array(scene: Scene) -> np.ndarray:
    """The picture of `scene` as uint8 RGB of shape (SIZE, SIZE, 3)."""
    picture = _BACKDROP.copy()
    for thing in scene.things:
        left = (thing.column - 1) * CELL + CELL // 2 + thing.dx - RADIUS
        top = (thing.row - 1) * CELL + CELL // 2 + thing.dy - RADIUS
        window = picture[top : top + 2 * RADIUS + 1, left : left + 2 * RADIUS + 1]
        window[_STAMPS[thing.shape]] = COLOURS[thing.colour]
    return picture


def render(scene: Scene) -> Image.Image:
    """The picture of `scene` as an RGB image of SIZE x SIZE pixels."""
    return Image.fromarray(render_array(scene))
