"""Open a picture as RGB, or say in one line why it cannot be used.

Of a file's metadata only the orientation counts, so nothing else in it spoils whole pixels. What a decoder raises on
damaged or foreign bytes has no bounds (AVIF's `RuntimeError`, PNG's `SyntaxError`), so whatever Pillow raises between
opening a file and its RGB pixels is a fault of the file.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from vlm_grpo.errors import UserError

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings a picture upright, by its EXIF orientation."""
SIDEWAYS = (5, 6, 7, 8)
WIDE_MODES = ("I", "F")
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
LFS_POINTER = b"version https://git-lfs"


class NotAPicture(Exception):
    """A file that cannot be decoded; the message says why, without naming the file."""


def open_image(path: Path) -> Image.Image:
    """Decode `path` fully and return it upright in RGB; of an animation, its first frame.

    CMYK, palette, grey and 16-bit pictures are converted; transparency is laid on white. A missing, empty, truncated or
    foreign file is a `UserError` naming it.
    """
    with _blaming(path):
        return decode(path)


def upright_size(path: Path) -> tuple[int, int]:
    """(width, height) in pixels of what `open_image` gives, from the header alone; `UserError` as there.

    Read once for each state of a file: PNG's metadata may follow its pixels.
    """
    state = path.stat() if path.is_file() else None
    return _upright_size(path, state and (state.st_mtime_ns, state.st_size))


@lru_cache(maxsize=1 << 16)
def _upright_size(path: Path, state: tuple[int, int] | None) -> tuple[int, int]:
    with _blaming(path), _reading(path) as image:
        width, height = image.size
        return (height, width) if orientation(image) in SIDEWAYS else (width, height)


def decode(path: Path) -> Image.Image:
    """`open_image` without a name for the culprit: `NotAPicture` gives the bare reason."""
    with _reading(path) as image:
        if image.format == "TIFF":
            image.info.pop("xmp", None)  # in a type of its own it stops Pillow's turn; the size does not heed it either
        image.load()
        turn = TURNS.get(orientation(image))
        return to_rgb(image if turn is None else image.transpose(turn))


def orientation(image: Image.Image) -> int:
    """The EXIF orientation of an opened file, 1 to 8; 1 (upright) where it states none, or no such number.

    TIFF files count as upright: Pillow gives their size and their pixels turned already.
    """
    if image.format == "TIFF":
        return 1
    try:
        value: Any = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # metadata that cannot be read say nothing about the pixels
        return 1
    if isinstance(value, bytes) and len(value) == 1:
        value = value[0]
    return next((number for number in (1, *TURNS) if value == number), 1)


def to_rgb(image: Image.Image) -> Image.Image:
    """Return `image` in mode RGB: 16-bit samples scaled to 8, transparent parts laid on white.

    Samples of 32 bits have no known range and are refused (`NotAPicture`); a PNM file's are 16 bits, whatever the mode.
    """
    if image.mode == "I" and image.format == "PPM":
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in WIDE_MODES:
        raise NotAPicture(f"has 32-bit samples (mode {image.mode}); convert it to 8 bits first")
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        canvas = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(canvas, layered).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


@contextmanager
def _reading(path: Path) -> Iterator[Image.Image]:
    if not path.is_file():
        raise NotAPicture("is missing")
    if path.stat().st_size == 0:
        raise NotAPicture("is empty (0 bytes)")
    try:
        with Image.open(path) as image:
            yield image
    except NotAPicture:
        raise
    except UnidentifiedImageError:
        raise NotAPicture(f"cannot be read ({_kind(path)})") from None
    except Exception as error:
        reason = " ".join(str(error).replace(str(path), path.name).split()) or type(error).__name__
        raise NotAPicture(f"cannot be read ({reason})") from None


def _kind(path: Path) -> str:
    """What a file is that no decoder knows."""
    with path.open("rb") as file:
        start = file.read(len(LFS_POINTER))
    if start[4:8] == b"ftyp" and start[8:12] in HEIF_BRANDS:
        return "HEIC is not decoded here: convert it to JPEG or PNG"
    if start == LFS_POINTER:
        return "a Git LFS pointer in place of the file: fetch it with git lfs pull"
    return "cannot identify image file"


@contextmanager
def _blaming(path: Path) -> Iterator[None]:
    try:
        yield
    except NotAPicture as error:
        raise UserError(f"image {path} {error}; mend or remove it and build the data set again") from None
