"""What an answer looks like when it is drawn: closed outlines in pixels of the row's first picture."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outline:
    """A closed line through `points`, x and y in pixels of the picture as it is, and what is written beside it."""

    points: tuple[tuple[float, float], ...]
    label: str = ""


def of_box(box: Sequence[float], label: str = "") -> Outline:
    """The outline of a box of edges left, top, right, bottom."""
    left, top, right, bottom = box
    return Outline(((left, top), (right, top), (right, bottom), (left, bottom)), label)
