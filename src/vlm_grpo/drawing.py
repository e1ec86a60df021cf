"""What the package's figures share: colours, a dot with its interval, a frame for rows, and saving without dates.

Figures are drawn into objects of their own (no pyplot, no display); the same numbers give the same bytes.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

COLOURS = ("#555555", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00")
"""Okabe and Ito's colours, told apart without red or green; the first arm is grey."""
COLOURS_ON_DARK = ("#b4b4b4", "#ff8f45", "#5ab4f0", "#35c9a0", "#e5a3c8", "#f0b93a")
"""The same, told apart on a dark ground."""


def arm_colour(arm: str, arms: Sequence[str]) -> str:
    """The colour of `arm` among `arms`: the same in every figure and on every page of a study."""
    return COLOURS[arms.index(arm) % len(COLOURS)]


def dot(
    axes: Any,
    value: float,
    ends: tuple[float, float],
    place: float,
    *,
    colour: str,
    label: str | None = None,
    size: float = 6.5,
) -> None:
    """A dot at `value` on the line `place`, over a bar from one end of its interval to the other."""
    axes.plot(ends, (place, place), color=colour, linewidth=size / 3, solid_capstyle="butt", clip_on=False)
    axes.plot(value, place, "o", color=colour, markersize=size, label=label, clip_on=False)


def as_rows(axes: Any) -> None:
    """Leave of the frame what a list of rows needs: the axis below, and faint lines up from it."""
    axes.grid(axis="x", color="#dddddd", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0, pad=8)  # room for a dot at the left end


def save(figure: Figure, path: Path) -> None:
    """Write `figure` as PNG, without date or program name in it."""
    figure.savefig(path, dpi=160, metadata={"Software": None})
