"""Rays from a pixel to the edge of a mask: exact crossings by leaps, of many masks at once.

A pixel (x, y) covers x to x + 1 and y to y + 1, y goes down, and rays start in the corner (x, y) of the centre. Since
that is a whole number, a direction crosses the same pixels in the same places from every centre: they are tabled once.
How far the next pixel outside of the mask is at least, the distance transform says that the centre comes from; so a ray
leaps over the pixels that cannot be outside, and looks at the others one by one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from scipy import ndimage

ANGLES = 72
"""Directions of a profile, from 0 (right) by pi/2 (down) in equal steps."""
_THETA = 2 * np.pi * np.arange(ANGLES) / ANGLES
COS, SIN = (np.where(np.abs(wave) < 1e-12, 0.0, wave) for wave in (np.cos(_THETA), np.sin(_THETA)))
DIRECTIONS = np.stack([COS, SIN], axis=1)
"""(72, 2): x and y of each direction."""
_RAYS = np.arange(ANGLES)
TOGETHER = 256
"""Masks whose rays are cast together, on one canvas."""
DEEPEST = 255
"""Depths beyond count as this."""


@dataclass(frozen=True, slots=True)
class Table:
    """The pixels that each direction crosses, one after the other: offsets from the centre, and distances to it.

    Attributes:
        dx, dy: (72, steps) whole numbers.
        enter, leave: (72, steps) distances in pixels at which the ray comes into each and goes out of it.
    """

    dx: np.ndarray
    dy: np.ndarray
    enter: np.ndarray
    leave: np.ndarray


@cache
def table(bits: int) -> Table:
    """The first 2 ** `bits` pixels of each direction."""
    rows = [_crossed(cos, sin, 1 << bits) for cos, sin in DIRECTIONS]
    return Table(*(np.stack(column) for column in zip(*rows, strict=True)))


def _crossed(cos: float, sin: float, steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    lines = np.arange(1, 2 * steps + 2)
    with np.errstate(divide="ignore"):
        crossings = np.concatenate([lines / abs(cos), lines / abs(sin)])
    crossings = np.sort(crossings[np.isfinite(crossings)])
    apart = np.diff(crossings, prepend=0.0) > 1e-9
    leave = crossings[apart][:steps]
    enter = np.concatenate([[0.0], leave[:-1]])
    middle = (enter + leave) / 2
    return np.floor(middle * cos).astype(np.intp), np.floor(middle * sin).astype(np.intp), enter, leave


@cache
def _leaps() -> np.ndarray:
    """(72 * 256,) how many pixels on a ray may be outside at the earliest, by direction and whole depth; 1 at least.

    Of any m pixels entered one after the other, a share of |cos| / (|cos| + |sin|), rounded up or down, lies across:
    the steps of a digital line. So the farthest that m pixels can be from the first is known, and none nearer than its
    depth is outside.
    """
    across, down = np.abs(COS), np.abs(SIN)
    entered = np.arange(1, 1024)
    share = entered * (across / (across + down))[:, None]
    farthest = np.maximum(*(np.hypot(part, entered - part) for part in (np.floor(share), np.ceil(share))))
    farthest[np.isclose(across, down)] = entered * np.sqrt(2)  # a diagonal goes through corners, both ways at once
    farthest = np.maximum.accumulate(farthest, axis=1)
    return np.stack([1 + np.searchsorted(row, np.arange(DEEPEST + 1)) for row in farthest]).reshape(-1)


@dataclass(frozen=True, slots=True)
class DepthMap:
    """How deep inside a mask each pixel of its surroundings lies: the distance to the next pixel outside, there 0.

    Attributes:
        depth: uint8 (height, width) of the mask's box and at least one pixel outside on every side, rounded down.
        origin: (x, y) of its first pixel in the picture.
        centre: (x, y) of the deepest pixel in the picture, which does not end in pixels outside for this one.
        longest: the picture's longer side, and the longest a ray may be.
    """

    depth: np.ndarray
    origin: tuple[int, int]
    centre: tuple[int, int]
    longest: int


def depth_map(mask: np.ndarray) -> DepthMap:
    """Of `mask`, bool or uint8 (height, width), with at least one pixel inside.

    Beyond the left and the upper edge of the picture its first pixels are there once more: coordinates between -1 and 0
    are cut off to 0, as the original cuts them.
    """
    rows, columns = box_of(mask)
    height, width = mask.shape
    top, left = max(rows.start - 1, 0), max(columns.start - 1, 0)
    part = mask[top : rows.stop + 1, left : columns.stop + 1]
    depth = ndimage.distance_transform_edt(part)
    centre = (width // 2, height // 2) if part.all() else _first_largest(depth, left, top)
    if rows.start == 0 or columns.start == 0 or rows.stop == height or columns.stop == width:
        repeated = (int(rows.start == 0), int(columns.start == 0))
        inside = np.pad(mask[rows, columns], ((repeated[0], 0), (repeated[1], 0)), mode="edge")
        depth = ndimage.distance_transform_edt(np.pad(inside, 1))
        top, left = rows.start - repeated[0] - 1, columns.start - repeated[1] - 1
    return DepthMap(np.minimum(depth, DEEPEST).astype(np.uint8), (left, top), centre, max(height, width))


def deepest_within(mask: np.ndarray) -> tuple[int, int]:
    """The pixel (x, y) of `mask` farthest from every pixel outside of it; the picture ends in pixels outside."""
    rows, columns = box_of(mask)
    depth = ndimage.distance_transform_edt(np.pad(mask[rows, columns], 1))
    return _first_largest(depth, columns.start - 1, rows.start - 1)


def _first_largest(depth: np.ndarray, left: int, top: int) -> tuple[int, int]:
    """The first of the largest in reading order."""
    down, across = divmod(int(depth.argmax()), depth.shape[1])
    return left + across, top + down


def box_of(mask: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns of the mask's ones; `ValueError` where it has none."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        raise ValueError("an empty mask has no box")
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def first_exits(maps: Sequence[DepthMap]) -> np.ndarray:
    """(maps, 72) distances in pixels from each centre to where its rays first leave the mask; 0 where it is outside."""
    exits = np.empty((len(maps), ANGLES))
    by_width = sorted(range(len(maps)), key=lambda number: maps[number].depth.shape[1])
    for start in range(0, len(maps), TOGETHER):
        chosen = by_width[start : start + TOGETHER]
        exits[chosen] = _cast([maps[number] for number in chosen])
    return np.minimum(exits, np.array([[entry.longest] for entry in maps]))


def _cast(maps: Sequence[DepthMap]) -> np.ndarray:
    width = max(entry.depth.shape[1] for entry in maps)
    tops = np.cumsum([0, *(entry.depth.shape[0] for entry in maps)])
    canvas = np.zeros((tops[-1], width), dtype=np.uint8)
    for top, entry in zip(tops, maps, strict=False):
        canvas[top : top + entry.depth.shape[0], : entry.depth.shape[1]] = entry.depth
    places = [
        (top + entry.centre[1] - entry.origin[1]) * width + entry.centre[0] - entry.origin[0]
        for top, entry in zip(tops, maps, strict=False)
    ]
    bits = max(sum(entry.depth.shape) for entry in maps).bit_length()
    offsets, enter = _offsets(bits, width), table(bits).enter.reshape(-1)
    flat = canvas.reshape(-1)
    rays, step = np.arange(len(maps) * ANGLES), np.tile(_RAYS << bits, len(maps))
    base = np.repeat(places, ANGLES)
    leaps, leap = _leaps(), np.tile(_RAYS * (DEEPEST + 1), len(maps))
    exits = np.zeros(len(rays))
    while len(rays):
        depth = flat.take(base + offsets.take(step))
        inside = depth > 0
        if not inside.all():
            out, kept = np.flatnonzero(~inside), np.flatnonzero(inside)
            exits[rays.take(out)] = enter.take(step.take(out))
            rays, base, step, leap, depth = (part.take(kept) for part in (rays, base, step, leap, depth))
        step = step + leaps.take(leap + depth)
    return exits.reshape(len(maps), ANGLES)


@lru_cache(maxsize=128)
def _offsets(bits: int, width: int) -> np.ndarray:
    """The pixels of `table` as places on a canvas of that width, counted from the centre."""
    tabled = table(bits)
    return (tabled.dy * width + tabled.dx).reshape(-1)


def best_radii(mask: np.ndarray, centre: tuple[int, int]) -> np.ndarray:
    """(72,) distances up to which each ray has most of the mask and least of the rest, counted by area.

    Where the mask is star-shaped about `centre` these are its edges; elsewhere a far part counts where it outweighs the
    gap before it.
    """
    x, y = centre
    rows, columns = box_of(mask)
    reach = max(x - columns.start, columns.stop - x) + max(y - rows.start, rows.stop - y) + 2
    tabled = table(reach.bit_length())
    xs, ys = tabled.dx + x, tabled.dy + y
    is_there = (xs >= columns.start) & (xs < columns.stop) & (ys >= rows.start) & (ys < rows.stop)
    is_in = is_there & mask[ys.clip(0, mask.shape[0] - 1), xs.clip(0, mask.shape[1] - 1)].astype(bool)
    areas = tabled.leave**2 - tabled.enter**2
    gains = np.where(is_in, areas, -areas).cumsum(axis=1)
    best = gains.argmax(axis=1)
    return np.where(gains[_RAYS, best] > 0, tabled.leave[_RAYS, best], 0.0)
