"""Polygons as masks: clipped to the picture as a whole, filled, compared.

A polygon is (N, 2), x and y in pixels, and may lie anywhere: it is cut along the picture's edges (vertices are not
moved onto them, which would bend what is left), so no coordinate, however far out, costs memory.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as rle_masks

from vlm_grpo.tasks.coco.instances import Rle, text_rle


def clipped(polygon: np.ndarray, *, width: int, height: int) -> np.ndarray:
    """What of `polygon` lies in 0 to `width` and 0 to `height` (Sutherland and Hodgman's algorithm), perhaps empty."""
    for axis, bound, side in ((0, 0.0, 1), (0, float(width), -1), (1, 0.0, 1), (1, float(height), -1)):
        if len(polygon) == 0:
            break
        inside = side * (polygon[:, axis] - bound) >= 0
        if inside.all():
            continue
        following, follows_inside = np.roll(polygon, -1, axis=0), np.roll(inside, -1)
        crosses = inside != follows_inside
        step = following - polygon
        share = np.zeros(len(polygon))
        share[crosses] = (bound - polygon[crosses, axis]) / step[crosses, axis]
        points = polygon + share[:, None] * step
        points[:, axis] = bound
        pairs = np.stack([polygon, points], axis=1).reshape(-1, 2)
        polygon = pairs[np.stack([inside, crosses], axis=1).reshape(-1)]
    return polygon


def filled(polygon: np.ndarray | Sequence[Sequence[float]], *, width: int, height: int) -> Rle:
    """The mask of `polygon` in a picture of that size; empty where nothing of it lies there."""
    part = clipped(np.asarray(polygon, dtype=float), width=width, height=height)
    if len(part) < 3:
        return empty(width=width, height=height)
    return text_rle(rle_masks.frPyObjects([part.reshape(-1).tolist()], height, width)[0])


def empty(*, width: int, height: int) -> Rle:
    """A mask without a pixel."""
    return text_rle(rle_masks.encode(np.zeros((height, width), dtype=np.uint8, order="F")))


def iou(a: Rle, b: Rle) -> float:
    """Intersection over union of two masks of one size, 0 to 1; 0 where both are empty."""
    shared, either = overlap(a, b)
    return shared / either if either else 0.0


def overlap(a: Rle, b: Rle) -> tuple[int, int]:
    """Pixels of both masks, and of either."""
    shared = area(rle_masks.merge([a, b], intersect=True))
    return shared, area(a) + area(b) - shared


def area(rle: Rle) -> int:
    """Pixels of the mask."""
    return int(rle_masks.area(rle))


def pixels(rle: Mapping[str, Any]) -> np.ndarray:
    """The mask as uint8 (height, width), 0 and 1."""
    return np.ascontiguousarray(rle_masks.decode(rle))


def as_rle(mask: np.ndarray) -> Rle:
    """uint8 or bool (height, width) as run lengths."""
    return text_rle(rle_masks.encode(np.asfortranarray(mask, dtype=np.uint8)))


def resized(rle: Rle, *, width: int, height: int) -> Rle:
    """The mask as a picture of another size shows it, each pixel by the nearest."""
    shown = Image.fromarray(pixels(rle)).resize((width, height), Image.Resampling.NEAREST)
    return as_rle(np.asarray(shown))
