"""Open a picture as RGB, or say in one line why it cannot be used."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps
from PIL.Image import DecompressionBombError

from vlm_grpo.errors import UserError

# What Pillow's decoders raise on damaged or foreign input.
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error, DecompressionBombError)
SIDEWAYS = (5, 6, 7, 8)
WIDE_MODES = ("I", "F")


class NotAPicture(Exception):
    """A file that cannot be decoded; the message says why, without naming the file."""


def open_image(path: Path) -> Image.Image:
    """Decode `path` fully and return it upright in RGB.

    CMYK, palette, grey and 16-bit pictures are converted; transparency is laid on white. A missing, empty, truncated or
    foreign file is a `UserError` naming it.
    """
    with _blaming(path):
        return decode(path)


def upright_size(path: Path) -> tuple[int, int]:
    """(width, height) in pixels of what `open_image` gives, from the header alone; `UserError` as there."""
    with _blaming(path), _reading(path) as image:
        width, height = image.size
        return (height, width) if image.getexif().get(ExifTags.Base.Orientation) in SIDEWAYS else (width, height)


def decode(path: Path) -> Image.Image:
    """`open_image` without a name for the culprit: `NotAPicture` gives the bare reason."""
    with _reading(path) as image:
        image.load()
        return to_rgb(ImageOps.exif_transpose(image))


def to_rgb(image: Image.Image) -> Image.Image:
    """Return `image` in mode RGB: 16-bit samples scaled to 8, transparent parts laid on white.

    Samples of 32 bits have no known range and are refused (`NotAPicture`).
    """
    if image.mode == "RGB":
        return image
    if image.mode in WIDE_MODES:
        raise NotAPicture(f"has 32-bit samples (mode {image.mode}); convert it to 8 bits first")
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        canvas = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(canvas, layered).convert("RGB")
    return image.convert("RGB")


@contextmanager
def _reading(path: Path) -> Iterator[Image.Image]:
    if not path.is_file():
        raise NotAPicture("is missing")
    if path.stat().st_size == 0:
        raise NotAPicture("is empty (0 bytes)")
    try:
        with Image.open(path) as image:
            yield image
    except DAMAGE as error:
        # Pillow repeats the file's name in "cannot identify image file '...'".
        reason = str(error).replace(f" {str(path)!r}", "") or type(error).__name__
        raise NotAPicture(f"cannot be read ({reason})") from None


@contextmanager
def _blaming(path: Path) -> Iterator[None]:
    try:
        yield
    except NotAPicture as error:
        raise UserError(f"image {path} {error}; mend or remove it and build the data set again") from None
