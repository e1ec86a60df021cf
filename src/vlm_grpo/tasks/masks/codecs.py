"""Codecs: a mask as a few numbers that a model can write, and back to a polygon.

cosine8    the README's: distance of the outline from a centre, c0 + c1 cos t + ... + c7 cos 7t. What it draws is
           symmetric about the horizontal line through the centre: nothing in it tells up from down
fourier8   the same with sines beside the cosines, up to 8t, over the best radii of each ray
polygon    the corners of the largest part's outline, at most 32

None can hold a hole, and only one part. What is lost is told by `round_trip`; the manifest of a data set has it.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from skimage.measure import approximate_polygon, find_contours

from vlm_grpo.store import strict_json
from vlm_grpo.tasks.answers import polygon as polygons
from vlm_grpo.tasks.answers.base import FRAME
from vlm_grpo.tasks.answers.box import is_coordinate
from vlm_grpo.tasks.coco.instances import Rle
from vlm_grpo.tasks.masks import outlines
from vlm_grpo.tasks.masks.rays import ANGLES, DIRECTIONS, best_radii, deepest_within, depth_map, first_exits

TERMS = 8
"""Coefficients of `cosine8`."""
HARMONICS = 8
"""Of `fourier8`."""
CORNERS = 32
"""Of `polygon`, at most."""
ASKS_COSINE = (
    'the outline as JSON such as {"centre": [320, 240], "coeffs": [81.5, 3.2, -9.7, 0.5, 1.2, 0, -0.3, 0]}, its '
    "distance from the centre at angle t (0 to the right, pi/2 down) being coeffs[0] + coeffs[1] cos t + ... + "
    "coeffs[7] cos 7t, {frame}"
)
ASKS_FOURIER = (
    'the outline as JSON such as {"centre": [320, 240], "cos": [81, 3.2, -9.7, 0.5, 1.2, 0, -0.3, 0.1, 0], '
    '"sin": [2, 1.1, -0.4, 0, 0.3, 0, 0, 0.1]}, its distance from the centre at angle t (0 to the right, pi/2 down) '
    "being cos[0] + cos[1] cos t + ... + cos[8] cos 8t + sin[0] sin t + ... + sin[7] sin 8t, {frame}"
)
ASKS_POLYGON = (
    f"the outline as JSON, a list of at most {CORNERS} corners such as [[10, 20], [110, 25], [60, 140]], {FRAME}"
)
_FENCE = re.compile(r"```(?:json)?\s*(.*?)```", re.DOTALL)
_TURNS = 2 * np.pi * np.outer(np.arange(HARMONICS + 1), np.arange(ANGLES)) / ANGLES
_COSINES, _SINES = np.cos(_TURNS), np.sin(_TURNS)
_WEIGHT = np.where(np.arange(HARMONICS + 1) == 0, 1.0, 2.0)[:, None] / ANGLES


@dataclass(frozen=True, kw_only=True)
class Codec:
    """A way to write a mask.

    Attributes:
        name: in configurations and in the rows' column `codec`.
        asks: what the prompt says of the answer, with an example that `read` reads.
        encode: a mask, uint8 (height, width) with at least one pixel, as a JSON value; in its own pixels.
        read: a JSON value as the answer, None where it is none: every number finite, their count as asked.
        decode: an answer as a polygon, (N, 2), in the same pixels.
    """

    name: str
    asks: str
    encode: Callable[[np.ndarray], Any]
    read: Callable[[Any], Any]
    decode: Callable[[Any], np.ndarray]

    def parse(self, text: str) -> Any:
        """The answer that `text`, JSON and nothing else, is; None where it is none."""
        try:
            return self.read(strict_json.parse(text))
        except ValueError:
            return None

    def round_trip(self, rle: Rle) -> float:
        """IoU of a mask with what is left of it after encoding and decoding."""
        height, width = rle["size"]
        value = json.loads(json.dumps(self.encode(outlines.pixels(rle))))
        return outlines.iou(outlines.filled(self.decode(value), width=width, height=height), rle)


def unfenced(text: str) -> str:
    """What the last code fence of `text` holds, or the text where it has none."""
    fences = _FENCE.findall(text)
    return fences[-1] if fences else text


def cosine_transform(radii: np.ndarray, terms: int = TERMS) -> np.ndarray:
    """(..., 72) radii as (..., `terms`) coefficients of cos kt: a truncated cosine series.

    It is the least-squares fit of Chebyshev polynomials in cos t, as T_k(cos t) = cos kt and the angles are even.
    """
    return radii @ (_WEIGHT[:terms] * _COSINES[:terms]).T


def _encode_cosine(mask: np.ndarray) -> dict[str, Any]:
    depths = depth_map(mask)
    x, y = depths.centre
    return {"centre": [float(x), float(y)], "coeffs": _rounded(cosine_transform(first_exits([depths])[0]), 4)}


def _decode_cosine(value: dict[str, Any]) -> np.ndarray:
    return _star(value["centre"], np.array(value["coeffs"], dtype=float) @ _COSINES[:TERMS])


def _encode_fourier(mask: np.ndarray) -> dict[str, Any]:
    x, y = deepest_within(mask)
    radii = best_radii(mask, (x, y))
    cosines, sines = ((_WEIGHT * waves) @ radii for waves in (_COSINES, _SINES))
    return {"centre": [x, y], "cos": _rounded(cosines, 1), "sin": _rounded(sines[1:], 1)}


def _decode_fourier(value: dict[str, Any]) -> np.ndarray:
    cosines, sines = (np.array(value[name], dtype=float) for name in ("cos", "sin"))
    return _star(value["centre"], cosines @ _COSINES + sines @ _SINES[1:])


def _star(centre: Sequence[float], radii: np.ndarray) -> np.ndarray:
    """The polygon with these 72 radii about `centre`; negative ones count as 0."""
    return np.array(centre, dtype=float) + np.maximum(radii, 0.0)[:, None] * DIRECTIONS


def _encode_polygon(mask: np.ndarray) -> list[list[int]]:
    contours = [contour[:, ::-1] - 0.5 for contour in find_contours(np.pad(mask, 1).astype(float), 0.5)]
    outline = max(contours, key=lambda contour: abs(_signed_area(contour)))
    tolerance, corners = 0.5, outline
    while len(corners) > CORNERS + 1:
        corners = approximate_polygon(outline, tolerance)
        tolerance *= 1.3
    whole = [[round(float(x)), round(float(y))] for x, y in corners[:-1]]
    distinct = [point for before, point in zip([whole[-1], *whole], whole, strict=False) if point != before]
    return distinct if len(distinct) >= 3 else _box(mask)


def _box(mask: np.ndarray) -> list[list[int]]:
    """The corners of the mask's box: the outline of what is too small for another."""
    rows, columns = np.nonzero(mask)
    left, right, top, bottom = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
    return [[int(x), int(y)] for x, y in ((left, top), (right, top), (right, bottom), (left, bottom))]


def _signed_area(polygon: np.ndarray) -> float:
    x, y = polygon.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def _rounded(values: np.ndarray, digits: int) -> list[float]:
    return [round(float(value), digits) for value in values]


def _reader(lengths: dict[str, int]) -> Callable[[Any], Any]:
    """Reads an object with these lists of so many numbers; `size`, which the README's lines have, is passed over."""

    def read(value: Any) -> Any:
        if not isinstance(value, dict) or value.keys() - {"size"} != lengths.keys():
            return None
        for name, length in lengths.items():
            numbers = value[name]
            if not isinstance(numbers, list) or len(numbers) != length or not all(map(is_coordinate, numbers)):
                return None
        return {name: value[name] for name in lengths}

    return read


def _read_polygon(value: Any) -> Any:
    """A list of three corners or more; one of far more than are asked for is no answer."""
    return polygons.as_polygon(value) if isinstance(value, list) and len(value) <= 4 * CORNERS else None


CODECS = {
    codec.name: codec
    for codec in (
        Codec(
            name="cosine8",
            asks=ASKS_COSINE,
            encode=_encode_cosine,
            read=_reader({"centre": 2, "coeffs": TERMS}),
            decode=_decode_cosine,
        ),
        Codec(
            name="fourier8",
            asks=ASKS_FOURIER,
            encode=_encode_fourier,
            read=_reader({"centre": 2, "cos": HARMONICS + 1, "sin": HARMONICS}),
            decode=_decode_fourier,
        ),
        Codec(
            name="polygon",
            asks=ASKS_POLYGON,
            encode=_encode_polygon,
            read=_read_polygon,
            decode=lambda value: np.array(value, dtype=float),
        ),
    )
}
