"""A polygon, a list of at least three points `[[x, y], ...]`: JSON alone, or relaxed in a code fence or a sentence."""

import json
import re
from typing import Any

from vlm_grpo.tasks.answers.base import AnswerKind
from vlm_grpo.tasks.answers.box import is_coordinate

Polygon = list[list[float]]
_POINT = r"\[\s*-?\d+(?:\.\d+)?\s*,\s*-?\d+(?:\.\d+)?\s*\]"
_POINTS = re.compile(rf"\[\s*{_POINT}(?:\s*,\s*{_POINT})*\s*\]")


def parse(text: str, relaxed: bool) -> Polygon | None:
    """The one polygon that `text` states."""
    if not relaxed:
        return _as_polygon(text)
    polygons = _POINTS.findall(text)
    return _as_polygon(polygons[0]) if len(set(polygons)) == 1 else None


def _as_polygon(text: str) -> Polygon | None:
    try:
        return as_polygon(json.loads(text))
    except (ValueError, RecursionError):
        return None


def as_polygon(value: Any) -> Polygon | None:
    """`value`, a list of at least three points, as a polygon; None where it is none."""
    if not isinstance(value, list) or len(value) < 3:
        return None
    for point in value:
        if not isinstance(point, list) or len(point) != 2:
            return None
        if not all(is_coordinate(part) for part in point):
            return None
    return value


POLYGON = AnswerKind(
    name="polygon",
    asks="a polygon [[x1, y1], [x2, y2], ...] {frame}",
    refused="no polygon of three points or more",
    parse=parse,
    write=json.dumps,
)
