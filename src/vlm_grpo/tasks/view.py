"""How a model sees a row's pictures: their sizes before and after the processor, and the frame it writes boxes in."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from vlm_grpo.adapters.base import Adapter, Size
from vlm_grpo.rows.images import upright_size
from vlm_grpo.rows.records import Row

Frame = Literal["pixels", "resized_pixels", "thousandths"]


class View(BaseModel):
    """The pictures of one row, in order.

    Attributes:
        frame: where the model's boxes are: "pixels" of the picture as it is, "resized_pixels" of the picture as the
            processor resizes it, "thousandths" of each side.
        sizes: (width, height) in pixels of each picture, upright.
        shown: the same after the processor's resize.
    """

    model_config = ConfigDict(frozen=True)

    frame: Frame = "pixels"
    sizes: tuple[Size, ...] = ()
    shown: tuple[Size, ...] = ()

    def to_pixels(self, coordinates: Sequence[float], *, picture: int = 0) -> list[float]:
        """`coordinates` x, y, x, y, ... in the model's frame as pixels of the picture as it is."""
        if self.frame == "pixels":
            return list(coordinates)
        (width, height), (across, down) = self.sizes[picture], self.canvas(picture)
        scale = (width / across, height / down)
        return [value * scale[place % 2] for place, value in enumerate(coordinates)]

    def to_frame(self, coordinates: Sequence[float], *, picture: int = 0) -> list[float]:
        """The way back: pixels x, y, x, y, ... of the picture as it is in the model's frame."""
        if self.frame == "pixels":
            return list(coordinates)
        (width, height), (across, down) = self.sizes[picture], self.canvas(picture)
        scale = (across / width, down / height)
        return [value * scale[place % 2] for place, value in enumerate(coordinates)]

    def in_words(self, *, picture: int = 0) -> str:
        """What a model is told of its frame, such as `in pixels of the 644 x 476 image`."""
        if self.frame == "thousandths":
            return "in thousandths of the image's width and height, from 0 to 1000"
        width, height = self.sizes[picture] if self.frame == "pixels" else self.shown[picture]
        return f"in pixels of the {width} x {height} image"

    def canvas(self, picture: int = 0) -> Size:
        """(width, height) of the whole picture in the model's frame, which is not that of its own pixels."""
        return (1000, 1000) if self.frame == "thousandths" else self.shown[picture]


AS_IS = View()
"""A row without pictures, or one whose answer does not lie in a picture."""


def views(rows: Iterable[Row], *, root: Path, adapter: Adapter, processor: Any) -> dict[str, View]:
    """How a model of the family `adapter` sees each of `rows`, by row id; sizes are read from the files' headers."""
    sizes: dict[str, tuple[Size, Size]] = {}
    seen = {}
    for row in rows:
        for name in row.images:
            if name not in sizes:
                size = upright_size(root / name)
                sizes[name] = size, adapter.shown_size(processor, size)
        seen[row.id] = View(
            frame=adapter.box_frame,
            sizes=tuple(sizes[name][0] for name in row.images),
            shown=tuple(sizes[name][1] for name in row.images),
        )
    return seen
