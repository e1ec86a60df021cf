"""Draw masks and outlines on a picture: a tint, lines with a dark rim, a caption below."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vlm_grpo.tasks.coco.instances import Rle
from vlm_grpo.tasks.masks import outlines

TRUTH, PREDICTION = (0, 200, 60), (255, 120, 0)
RIM = (0, 0, 0)
LINE = 16
"""Height of a line of the caption in pixels."""


def tint(picture: Image.Image, mask: Rle, colour: tuple[int, int, int], *, share: float = 0.45) -> Image.Image:
    """The RGB `picture` with the pixels of `mask`, which has its size, coloured."""
    inside = outlines.pixels(mask).astype(bool)
    content = np.asarray(picture).astype(float)
    content[inside] = (1 - share) * content[inside] + share * np.array(colour)
    return Image.fromarray(content.round().astype(np.uint8))


def outline(picture: Image.Image, polygon: Any, colour: tuple[int, int, int], *, width: int = 2) -> None:
    """Draw the closed `polygon`, (N, 2) in pixels, clipped to the picture, on it."""
    across, down = picture.size
    part = outlines.clipped(np.asarray(polygon, dtype=float), width=across, height=down)
    if len(part) < 2:
        return
    corners = [tuple(point) for point in [*part.tolist(), part[0].tolist()]]
    draw = ImageDraw.Draw(picture)
    draw.line(corners, fill=RIM, width=width + 2, joint="curve")
    draw.line(corners, fill=colour, width=width, joint="curve")


def captioned(picture: Image.Image, lines: Sequence[tuple[str, tuple[int, int, int]]]) -> Image.Image:
    """`picture` with (text, colour) lines on white below it; what is too long is broken."""
    font = ImageFont.load_default(size=12)
    broken = [(part, colour) for text, colour in lines for part in _broken(text, picture.width - 8, font)]
    whole = Image.new("RGB", (picture.width, picture.height + LINE * len(broken) + 4 * bool(broken)), "white")
    whole.paste(picture)
    draw = ImageDraw.Draw(whole)
    for number, (text, colour) in enumerate(broken):
        draw.text((4, picture.height + 2 + LINE * number), text, fill=colour, font=font)
    return whole


def _broken(text: str, width: int, font: Any) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) > width and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
