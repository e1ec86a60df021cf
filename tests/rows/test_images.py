from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from vlm_grpo.errors import UserError
from vlm_grpo.rows.images import open_image, upright_size


def ramp() -> Image.Image:
    """A picture whose four quarters differ, 16 wide and 8 high."""
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:4, :8], pixels[:4, 8:], pixels[4:, :8] = (200, 0, 0), (0, 200, 0), (0, 0, 200)
    return Image.fromarray(pixels)


def test_rgb_is_returned_as_it_is(tmp_path: Path) -> None:
    ramp().save(tmp_path / "a.png")
    assert np.array_equal(np.asarray(open_image(tmp_path / "a.png")), np.asarray(ramp()))


def test_palette_cmyk_and_grey_are_converted(tmp_path: Path) -> None:
    ramp().convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "palette.png")
    ramp().convert("CMYK").save(tmp_path / "cmyk.tiff")
    ramp().convert("L").save(tmp_path / "grey.png")
    ramp().convert("1").save(tmp_path / "bits.png")
    for name in ("palette.png", "cmyk.tiff", "grey.png", "bits.png"):
        assert open_image(tmp_path / name).mode == "RGB"
    assert open_image(tmp_path / "palette.png").getpixel((0, 0)) == (200, 0, 0)
    assert open_image(tmp_path / "cmyk.tiff").getpixel((15, 0)) == (0, 200, 0)
    assert open_image(tmp_path / "grey.png").getpixel((0, 0)) == (60, 60, 60)


def test_a_cmyk_jpeg_keeps_its_colours(tmp_path: Path) -> None:
    Image.new("RGB", (16, 16), (0, 0, 255)).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    red, green, blue = open_image(tmp_path / "a.jpg").getpixel((8, 8))
    assert blue > 240
    assert max(red, green) < 15


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path, suffix: str) -> None:
    samples = np.array([[0, 255, 256, 32768, 65535]], np.uint16)
    Image.fromarray(samples).save(tmp_path / f"a.{suffix}")
    assert np.asarray(open_image(tmp_path / f"a.{suffix}"))[0].tolist() == [[v] * 3 for v in (0, 0, 1, 128, 255)]


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    layered = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    layered.putpixel((1, 0), (0, 0, 0, 255))
    layered.save(tmp_path / "rgba.png")
    palette = Image.new("P", (1, 1), 0)
    palette.save(tmp_path / "palette.png", transparency=0)
    assert np.asarray(open_image(tmp_path / "rgba.png")).tolist() == [[[255] * 3, [0] * 3]]
    assert open_image(tmp_path / "palette.png").getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_and_known_from_the_header(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    ramp().save(tmp_path / "a.png", exif=exif)
    upright = open_image(tmp_path / "a.png")
    assert upright.size == ((16, 8) if orientation < 5 else (8, 16))
    assert upright_size(tmp_path / "a.png") == upright.size
    corners = {1: (0, 0), 2: (15, 0), 3: (15, 7), 4: (0, 7), 5: (0, 0), 6: (7, 0), 7: (7, 15), 8: (0, 15)}
    assert upright.getpixel(corners[orientation]) == (200, 0, 0)


def damaged(folder: Path, kind: str) -> Path:
    path = folder / f"{kind}.png"
    ramp().resize((300, 200)).save(path)
    content = path.read_bytes()
    if kind == "missing":
        path.unlink()
    elif kind == "folder":
        path.unlink()
        path.mkdir()
    elif kind == "wide":
        Image.fromarray(np.ones((2, 2), np.float32)).save(path, "TIFF")
    else:
        written = {
            "empty": b"",
            "html": b"<!doctype html><title>404</title>",
            "truncated": content[: len(content) // 2],
            "header": content[:20],
            "garbled": content[:60] + b"\xff" * 40 + content[100:],
        }
        path.write_bytes(written[kind])
    return path


@pytest.mark.parametrize(
    "kind, reason",
    [
        ("missing", "is missing"),
        ("folder", "is missing"),
        ("empty", "is empty (0 bytes)"),
        ("html", "cannot be read (cannot identify image file)"),
        ("truncated", "cannot be read (image file is truncated"),
        ("header", "cannot be read"),
        ("garbled", "cannot be read"),
        ("wide", "has 32-bit samples (mode F)"),
    ],
)
def test_what_is_no_picture_is_one_line_naming_it(tmp_path: Path, kind: str, reason: str) -> None:
    path = damaged(tmp_path, kind)
    with pytest.raises(UserError) as raised:
        open_image(path)
    assert str(raised.value).startswith(f"image {path} {reason}")
    assert str(raised.value).count(str(path)) == 1
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("kind", ["missing", "empty", "html", "header"])
def test_the_size_of_what_is_no_picture_is_refused_too(tmp_path: Path, kind: str) -> None:
    path = damaged(tmp_path, kind)
    with pytest.raises(UserError, match=f"image {path}"):
        upright_size(path)
