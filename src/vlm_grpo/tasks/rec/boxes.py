"""Boxes `[x1, y1, x2, y2]` by their edges, in pixels: how much two overlap, and what of one lies in the picture."""

from collections.abc import Sequence

from vlm_grpo.adapters.base import Size
from vlm_grpo.tasks.answers.box import Box


def area(box: Sequence[float]) -> float:
    """Width times height; 0 for a box whose edges are out of order."""
    left, top, right, bottom = box
    return max(right - left, 0.0) * max(bottom - top, 0.0)


def iou(one: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union, 0 to 1; 0 where the boxes do not overlap, however small either is.

    Edges are where they are: no pixel is added or taken off, so the smallest overlap counts (VLM-R1's counts one of a
    pixel or less as none).

    >>> iou([0, 0, 10, 10], [5, 0, 15, 10])
    0.3333333333333333
    """
    both = area([*map(max, one[:2], other[:2]), *map(min, one[2:], other[2:])])
    return min(both / (area(one) + area(other) - both), 1.0) if both > 0 else 0.0


def clipped(box: Sequence[float], size: Size) -> Box:
    """What of `box` lies in a picture of that (width, height); without an area where nothing does."""
    return [min(max(edge, 0), size[place % 2]) for place, edge in enumerate(box)]


def has_centre_of(box: Sequence[float], other: Sequence[float]) -> bool:
    """Whether the centre of `other` lies in `box`."""
    left, top, right, bottom = box
    return left <= (other[0] + other[2]) / 2 <= right and top <= (other[1] + other[3]) / 2 <= bottom
