"""Which objects become rows and with which mask: crowds, empty and tiny ones, several parts, holes.

What a codec can draw is one part without holes. `keep` stores the whole mask nevertheless, and the round trip tells
what is lost; `largest` and `fill` change the stored mask into what can be drawn; `drop` leaves such objects out.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import ndimage

from vlm_grpo.tasks.coco.instances import Instance, Rle, mask, mask_fault
from vlm_grpo.tasks.masks import outlines

Parts = Literal["keep", "largest", "drop"]
Holes = Literal["keep", "fill", "drop"]


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What becomes of the objects that are hard to outline.

    Attributes:
        min_area: pixels of the stored mask, at least.
        parts: what becomes of a mask of several parts (joined by a corner, they are one).
        holes: what becomes of a mask with holes.
        slack: a second part, or the holes, count as such from this share of the mask's pixels.
        crowds: whether crowd regions are kept.
    """

    min_area: int = 256
    parts: Parts = "keep"
    holes: Holes = "keep"
    slack: float = 0.02
    crowds: bool = False


@dataclass(frozen=True, slots=True)
class Dropped:
    """Why an object is left out: in a word, to be counted, and in a sentence."""

    kind: str
    reason: str


def stored_mask(instance: Instance, policy: Policy) -> Rle | Dropped:
    """The mask of `instance` under `policy`, or why it is left out."""
    if instance.is_crowd and not policy.crowds:
        return Dropped("crowd", "it is a crowd, and no object")
    fault = mask_fault(instance)
    if fault is not None:
        return Dropped("unusable object", fault)
    rle = mask(instance)
    if rle is None:
        return Dropped("empty", "its mask has no pixel")
    if policy.parts != "keep" or policy.holes != "keep":
        changed = _changed(outlines.pixels(rle), policy)
        if isinstance(changed, Dropped):
            return changed
        rle = outlines.as_rle(changed)
    area = outlines.area(rle)
    return rle if area >= policy.min_area else Dropped("tiny", f"it has {area} pixels, fewer than {policy.min_area}")


def _changed(pixels: np.ndarray, policy: Policy) -> np.ndarray | Dropped:
    total = int(pixels.sum())
    if policy.parts != "keep":
        numbered, parts = ndimage.label(pixels, structure=np.ones((3, 3)))
        sizes = np.bincount(numbered.reshape(-1), minlength=parts + 1)[1:]
        if policy.parts == "drop" and parts > 1 and np.sort(sizes)[-2] >= policy.slack * total:
            return Dropped("several parts", f"it has {parts} parts, the second of {np.sort(sizes)[-2]} pixels")
        if policy.parts == "largest":
            pixels = (numbered == 1 + int(sizes.argmax())).astype(np.uint8)
    if policy.holes != "keep":
        full = ndimage.binary_fill_holes(pixels)
        inside = int(full.sum()) - int(pixels.sum())
        if policy.holes == "drop" and inside >= max(1, policy.slack * total):
            return Dropped("holes", f"it has holes of {inside} pixels")
        if policy.holes == "fill":
            pixels = full.astype(np.uint8)
    return pixels
