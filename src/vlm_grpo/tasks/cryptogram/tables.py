"""The picture of a cipher: 26 pairs "code→plain" in r1_vlm's geometry, black on white.

25 pairs stand in five rows and columns, each in the middle of its cell, the last one below them. Single words have
capitals and 300 x 300 pixels, sequences small letters and 400 x 400; the letters' size is the same. r1_vlm found that
300 pixels (121 tokens of Qwen2.5-VL) are too few for sequences and 400 (196 tokens) enough.
"""

import functools
import random
from collections.abc import Sequence
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

from vlm_grpo.tasks.cryptogram.cipher import ALPHABET
from vlm_grpo.tasks.cryptogram.questions import Kind

SIDES: dict[Kind, int] = {"word": 300, "sequence": 400}
"""Width and height of a picture in pixels."""
GLYPH = 20
"""Size of the letters in pixels, whatever the picture's."""
FONT = Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
"""DejaVu Sans, which has the arrow; its free licence lies beside it (LICENSE_DEJAVU). Matplotlib brings both."""

_ARROW = "→"
_COLUMNS = 5
_FOOT = 50
_LAST_AT = 10


def draw_order(rng: random.Random) -> str:
    """The code letters in the order in which their pairs are drawn."""
    return "".join(rng.sample(ALPHABET, len(ALPHABET)))


def render(
    mapping: str, order: Sequence[str], *, kind: Kind, side: int | None = None, glyph: int = GLYPH
) -> Image.Image:
    """The RGB picture of `mapping`, its pairs in `order`; `side` and `glyph` in pixels."""
    side = side or SIDES[kind]
    plain = dict(zip(ALPHABET, mapping, strict=True))
    width, height = side // _COLUMNS, (side - _FOOT) // _COLUMNS
    picture = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(picture)
    for at, code in enumerate(order):
        pair = f"{code}{_ARROW}{plain[code]}"
        pair = pair.upper() if kind == "word" else pair
        left, top, right, bottom = draw.textbbox((0, 0), pair, font=font(glyph))
        row, column = divmod(at, _COLUMNS)
        x, y = column * width + (width - right + left) // 2, row * height + (height - bottom + top) // 2
        if at == _COLUMNS**2:
            x, y = (side - right + left) // 2, _COLUMNS * height + _LAST_AT
        draw.text((x - left, y - top), pair, fill="black", font=font(glyph))
    return picture


@functools.cache
def font(glyph: int) -> ImageFont.FreeTypeFont:
    """The font at `glyph` pixels."""
    return ImageFont.truetype(str(FONT), glyph)
