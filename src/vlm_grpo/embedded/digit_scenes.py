"""Scenes of handwritten digits for pretraining: glyphs of the training pool, bent a little, scattered as in `digits`.

A picture has 100 x 100 pixels and the processor makes 112 x 112 of it, 4 x 4 image tokens; `seen` does the same. A
*cell* is what one image token sees.
"""

import functools
import math
import random
from dataclasses import dataclass

import numpy as np
from PIL import Image

from vlm_grpo.embedded.scenes import GRID, SIZE
from vlm_grpo.tasks.digits import glyphs
from vlm_grpo.tasks.digits.glyphs import SIDE, Glyphs
from vlm_grpo.tasks.digits.pictures import draw_places, render_array

COUNTS = (1, 2, 2, 3, 3, 3)
"""How many digits a scene has: three most often, since those are hardest to read."""
TURN, SHEAR, STRETCH, SHIFT = 0.2, 0.2, 0.17, 1.5
"""The most that a glyph is turned (radians), slanted and stretched (shares) and moved (pixels)."""


@dataclass(frozen=True, eq=False)
class DigitScene:
    """What a picture shows: `digits` in reading order, the `cells` (0 to 15) of their centres, indices of the `glyphs`.

    `picture` is uint8 (100, 100).
    """

    digits: tuple[int, ...]
    cells: tuple[int, ...]
    glyphs: tuple[int, ...]
    picture: np.ndarray


@functools.cache
def source() -> Glyphs:
    """The glyphs that pretraining draws from: scikit-learn's."""
    return glyphs.load("sklearn")


@functools.cache
def _pool() -> tuple[int, ...]:
    return tuple(source().pool("train"))


def draw(rng: random.Random) -> DigitScene:
    """A scene of one to three digits from the training pool."""
    count = rng.choice(COUNTS)
    places = draw_places(rng, count)
    indices = tuple(rng.choice(_pool()) for _ in range(count))
    return DigitScene(
        digits=tuple(int(source().labels[index]) for index in indices),
        cells=tuple(place.row * GRID + place.column for place in places),
        glyphs=indices,
        picture=render_array([_bent(source().images[index], rng) for index in indices], places),
    )


def seen(scene: DigitScene) -> np.ndarray:
    """The picture of `scene` as the processor resizes it: uint8 (112, 112, 3)."""
    resized = Image.fromarray(scene.picture).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    return np.repeat(np.asarray(resized)[:, :, None], 3, axis=2)


def _bent(glyph: np.ndarray, rng: random.Random) -> np.ndarray:
    turn, shear = rng.uniform(-TURN, TURN), rng.uniform(-SHEAR, SHEAR)
    stretch = [rng.uniform(1 - STRETCH, 1 + STRETCH) for _ in range(2)]
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    matrix = rotation @ np.array([[stretch[0], shear], [0.0, stretch[1]]])
    centre = np.full(2, SIDE / 2)
    offset = centre - matrix @ centre + [rng.uniform(-SHIFT, SHIFT) for _ in range(2)]
    affine = (*matrix[0], offset[0], *matrix[1], offset[1])
    bent = Image.fromarray(glyph).transform(
        (SIDE, SIDE), Image.Transform.AFFINE, affine, resample=Image.Resampling.BILINEAR
    )
    return np.asarray(bent)
