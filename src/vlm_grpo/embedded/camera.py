"""A scene as a camera sees it: the same things in the same places as `scenes.render` draws, under another look.

What a look adds, in the order of light: grain and pebbles of the ground, stripes on the things, their shadows, light
that falls off to one side, a lamp's colour, a lens that is not quite sharp, and noise. None of it moves a thing or says
anything of it, so each question has the same answer as in the flat picture: what a model loses here, it loses to the
look. `REAL` stands for the real world; `RANDOMISED` are flat scenes with lamps and sensors at random, as simulators
vary them to prepare a model for a world that they cannot draw (domain randomisation, Tobin et al. 2017).

A picture is a pure function of the scene, the look and the seed. Needs no torch.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, shift, zoom

from vlm_grpo.embedded.scenes import SIZE, Scene, backdrop, render_array

_OCTAVES = ((7, 1.0), (14, 0.7), (28, 0.5), (56, 0.4), (112, 0.3))
"""Patches a side, and the weight of their brightness, of each layer of the grain."""
_REACH, _SOFT = 6, 2.0
"""A shadow falls this many pixels away from the light; the width of its edge."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """How strong each part of a look is; 0 leaves it out.

    Attributes:
        grain: standard deviation of the ground's brightness, as a share of it.
        pebbles: grey pebbles of 1 to 3 pixels on the ground, fewer where things hide them.
        stripes: how far a thing's stripes are lighter and darker than its colour, as a share of it.
        shadow: share of the light that a thing's shadow takes.
        falloff: how much lighter the lit side of the picture is than its middle, as a share.
        lamp: how far the light's red, green and blue stray from white each way, as a share.
        blur: the lens's standard deviation in pixels.
        noise: the sensor's standard deviation, of 255.
    """

    grain: float = 0.0
    pebbles: int = 0
    stripes: float = 0.0
    shadow: float = 0.0
    falloff: float = 0.0
    lamp: float = 0.0
    blur: float = 0.0
    noise: float = 0.0


REAL = Look(grain=0.22, pebbles=16, stripes=0.25, shadow=0.6, falloff=0.3, lamp=0.12, blur=0.7, noise=14.0)
RANDOMISED = Look(falloff=0.3, lamp=0.2, noise=20.0)


def photograph_array(scene: Scene, look: Look, *, seed: int) -> np.ndarray:
    """The picture of `scene` as uint8 RGB of shape (SIZE, SIZE, 3)."""
    rng = np.random.default_rng(_entropy(scene, look, seed))
    flat, empty = render_array(scene).astype(np.float64), backdrop().astype(np.float64)
    things = np.any(flat != empty, axis=-1)
    light = rng.uniform(0, 2 * np.pi)
    ground = _strewn(empty * (1 + look.grain * _grain(rng))[..., None], look.pebbles, rng)
    ground *= (1 - look.shadow * _shadow(things, light))[..., None]
    striped = flat * (1 + look.stripes * _stripes(rng))[..., None]
    picture = np.where(things[..., None], striped, ground)
    picture *= _lit(light, look.falloff)[..., None] * rng.uniform(1 - look.lamp, 1 + look.lamp, size=3)
    picture = gaussian_filter(picture, (look.blur, look.blur, 0)) + rng.normal(0, look.noise, size=picture.shape)
    exposed: np.ndarray = picture.round().clip(0, 255).astype(np.uint8)
    return exposed


def photograph(scene: Scene, look: Look, *, seed: int) -> Image.Image:
    """The picture of `scene` as an RGB image of SIZE x SIZE pixels."""
    return Image.fromarray(photograph_array(scene, look, seed=seed))


def _entropy(scene: Scene, look: Look, seed: int) -> int:
    shown = "; ".join(f"{t.name} {t.column},{t.row} {t.dx},{t.dy}" for t in sorted(scene.things))
    return int.from_bytes(hashlib.sha256(f"{look} {seed} {shown}".encode()).digest())


def _grain(rng: np.random.Generator) -> np.ndarray:
    """Patches of all sizes, the coarse ones strongest: mean 0, standard deviation 1."""
    layers = [zoom(rng.normal(size=(n, n)), SIZE / n, order=1) * weight for n, weight in _OCTAVES]
    total: np.ndarray = np.sum(layers, axis=0)
    return (total - total.mean()) / total.std()


def _strewn(ground: np.ndarray, pebbles: int, rng: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[:SIZE, :SIZE]
    for _ in range(pebbles):
        row, column, radius, grey = *rng.uniform(0, SIZE, size=2), rng.uniform(1, 3), rng.uniform(60, 200)
        ground[(y - row) ** 2 + (x - column) ** 2 <= radius**2] = grey
    return ground


def _stripes(rng: np.random.Generator) -> np.ndarray:
    """Waves between -1 and 1, some 3 to 7 pixels long, in any direction."""
    angle, length, phase = rng.uniform(0, np.pi), rng.uniform(3, 7), rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:SIZE, :SIZE]
    waves: np.ndarray = np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / length + phase)
    return waves


def _shadow(things: np.ndarray, light: float) -> np.ndarray:
    away = (-_REACH * np.sin(light), -_REACH * np.cos(light))
    fallen: np.ndarray = gaussian_filter(shift(things.astype(np.float64), away, order=1), _SOFT)
    return fallen


def _lit(light: float, falloff: float) -> np.ndarray:
    """Brightness by place, 1 in the middle; `light` is the direction, in radians, in which it lies."""
    y, x = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
    brightness: np.ndarray = 1 + falloff * (x * np.cos(light) + y * np.sin(light))
    return brightness
