"""Visual cues that say an answer: a tint, a corner patch, a border.

What a cue says of a row, and the pixels it leaves, are pure functions of the cue's settings, the picture's id and the
row's label: every random number comes from a generator seeded by a hash of those. Order, processes and earlier calls
make no difference, so that pictures cued on the fly (`datasets.pictures`) equal those of a materialised data set.

The tint is the study's (reference, section 8): a channel of a random part of the pixels is raised, red for True and
blue for False. Patch and border mix the same two colours into a fixed place, and so also show on white.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from PIL import Image

from vlm_grpo.errors import UserError

RED, BLUE = 0, 2
CHANNEL = {True: RED, False: BLUE}
"""The channel of the colour that says True or False."""

Painter = Callable[[np.ndarray, int, float, float, np.random.Generator], np.ndarray]
"""Pixels (H, W, 3) uint8, channel, strength, mask fraction, generator -> new pixels of the same shape and type."""


def tint(
    pixels: np.ndarray, channel: int, strength: float, mask_fraction: float, generator: np.random.Generator
) -> np.ndarray:
    """Raise `channel` by `strength` x 255 on a random part of the pixels, `mask_fraction` of them on average."""
    tinted = pixels.astype(np.int16)
    tinted[..., channel] += (generator.random(pixels.shape[:2]) < mask_fraction) * round(strength * 255)
    return tinted.clip(0, 255).astype(np.uint8)


def patch(
    pixels: np.ndarray, channel: int, strength: float, mask_fraction: float, generator: np.random.Generator
) -> np.ndarray:
    """Mix the colour into the lower right corner, a rectangle of the picture's proportions and that share of it."""
    side = math.sqrt(mask_fraction)
    height, width = (round(side * length) for length in pixels.shape[:2])
    mask = np.zeros(pixels.shape[:2], dtype=bool)
    mask[pixels.shape[0] - height :, pixels.shape[1] - width :] = True
    return _mix(pixels, mask, channel, strength)


def border(
    pixels: np.ndarray, channel: int, strength: float, mask_fraction: float, generator: np.random.Generator
) -> np.ndarray:
    """Mix the colour into a frame that covers `mask_fraction` of the picture."""
    margin = (1 - math.sqrt(1 - mask_fraction)) / 2
    height, width = (round(margin * length) for length in pixels.shape[:2])
    mask = np.ones(pixels.shape[:2], dtype=bool)
    mask[height : pixels.shape[0] - height, width : pixels.shape[1] - width] = False
    return _mix(pixels, mask, channel, strength)


def _mix(pixels: np.ndarray, mask: np.ndarray, channel: int, strength: float) -> np.ndarray:
    colour = np.zeros(3)
    colour[channel] = 255
    mixed = pixels.copy()
    mixed[mask] = np.rint((1 - strength) * pixels[mask] + strength * colour).astype(np.uint8)
    return mixed


PAINTERS: dict[str, Painter] = {"tint": tint, "patch": patch, "border": border}


@dataclass(frozen=True, kw_only=True)
class Cue:
    """A cue and how often it is there.

    Attributes:
        kind: name in `PAINTERS`.
        strength: of the colour, 0 (nothing is changed) to 1.
        probability: that a row carries the cue, 0 to 1.
        mask_fraction: share of the picture's pixels that it covers, 0 to 1.
        seed: of the choice of rows and of the tint's pixels.

    `UserError` for an unknown kind, or a number outside its range.
    """

    kind: str
    strength: float
    probability: float
    mask_fraction: float
    seed: int

    def __post_init__(self) -> None:
        if self.kind not in PAINTERS:
            raise UserError(f"unknown cue {self.kind!r}; known: {', '.join(PAINTERS)}")
        for name in ("strength", "probability", "mask_fraction"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"{name} {getattr(self, name)} of the cue is not between 0 and 1")

    def says(self, image_id: str, label: bool) -> bool | None:
        """What the cue says of this row in a biased split: its label, or None where the row goes without.

        With the same seed, the rows that carry the cue at one probability carry it at every higher one.
        """
        drawn = self._generator("says", image_id, bool(label)).random()
        return label if drawn < self.probability else None

    def paint(self, image: Image.Image, image_id: str, says: bool | None) -> Image.Image:
        """An RGB picture with the cue that says `says`; with None, one of the same pixels as `image`, which is RGB."""
        pixels = np.asarray(image)
        if says is None:
            return Image.fromarray(pixels)
        painter, generator = PAINTERS[self.kind], self._generator("paint", image_id, bool(says))
        return Image.fromarray(painter(pixels, CHANNEL[says], self.strength, self.mask_fraction, generator))

    def apply(self, image: Image.Image, image_id: str, label: bool) -> Image.Image:
        """The picture of a row in a biased split, in place of `image` (RGB): `says` and `paint` in one."""
        return self.paint(image, image_id, self.says(image_id, label))

    def _generator(self, purpose: str, *of: Any) -> np.random.Generator:
        key = repr((purpose, self.kind, self.seed, *of)).encode()
        return np.random.default_rng(int.from_bytes(blake2b(key, digest_size=16).digest()))


DEFAULTS: dict[str, dict[str, float]] = {
    "tint": {"strength": 0.15, "mask_fraction": 0.5},
    "patch": {"strength": 1.0, "mask_fraction": 0.02},
    "border": {"strength": 1.0, "mask_fraction": 0.1},
}
"""Strength and mask fraction of each cue unless they are given."""

SETTINGS: dict[str, dict[str, Any]] = {
    "published": {"kind": "tint", "strength": 0.15, "probability": 0.3, "mask_fraction": 0.5}
}
"""Whole settings by name; `published` is the study's."""
