"""Open a picture as RGB, or say in one line why it cannot be used."""

from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from vlm_grpo.errors import UserError


def open_image(path: Path) -> Image.Image:
    """Decode `path` fully and return it upright in RGB.

    CMYK, palette, grey and 16-bit pictures are converted; transparency is laid on white. A missing, empty, truncated or
    foreign file is a `UserError` naming it.
    """
    if not path.is_file():
        raise UserError(f"image {path} is missing; build the data set again or check its root")
    if path.stat().st_size == 0:
        raise UserError(f"image {path} is empty (0 bytes); remove it and build the data set again")
    try:
        with Image.open(path) as image:
            image.load()
            upright = ImageOps.exif_transpose(image)
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"image {path} cannot be read ({error}); remove it and build the data set again") from None
    return to_rgb(upright)


def to_rgb(image: Image.Image) -> Image.Image:
    """Return `image` in mode RGB, transparent parts laid on white."""
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I;16"):
        image = image.point(lambda value: value / 256).convert("L")
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        canvas = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(canvas, layered).convert("RGB")
    return image.convert("RGB")
