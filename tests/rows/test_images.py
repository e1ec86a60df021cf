import contextlib
import struct
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


@pytest.mark.parametrize("suffix", ["tiff", "webp", "avif", "jpg"])
@pytest.mark.parametrize("stated", range(1, 9))
def test_every_format_is_turned_once(tmp_path: Path, suffix: str, stated: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = stated
    ramp().resize((64, 32), Image.Resampling.NEAREST).save(tmp_path / f"a.{suffix}", exif=exif)
    upright = open_image(tmp_path / f"a.{suffix}")
    assert upright.size == upright_size(tmp_path / f"a.{suffix}") == ((64, 32) if stated < 5 else (32, 64))
    corners = {1: (4, 4), 2: (59, 4), 3: (59, 27), 4: (4, 27), 5: (4, 4), 6: (27, 4), 7: (27, 59), 8: (4, 59)}
    red, green, blue = upright.getpixel(corners[stated])
    assert red > 150 > 60 > max(green, blue)


TYPE_BYTES = {0: 1, 1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 99: 1}
"""Bytes of a value of each TIFF type, two of which nobody defined."""
TAGS = {
    0x0112: "orientation",
    0x010E: "description",
    0x010F: "maker",
    0x011A: "resolution",
    0x0128: "resolution unit",
    0x0131: "software",
    0x0132: "date",
    0x013B: "artist",
    0x02BC: "XMP",
    0x8298: "copyright",
    0x8769: "Exif block",
    0x8825: "GPS block",
    0xA005: "interoperability block",
    0x927C: "maker's note",
    0x9286: "comment",
    0x9C9B: "title for Windows",
    0x501B: "thumbnail",
}
STRUCTURE = {0x0100: "width", 0x0102: "bits", 0x0103: "compression", 0x0106: "photometric", 0x0111: "strips"}
"""What a TIFF file's pixels depend on; in an EXIF block of another format it says nothing about them."""


def directory(tags: list[tuple[int, int, int, bytes]], *, pixels: bytes = b"") -> bytes:
    """A TIFF file's first directory, little-endian; `pixels` follow it, and a tag without a value points to them."""
    tags = sorted(tags)
    start = 8 + 2 + 12 * len(tags) + 4
    far = b"".join(value for *_, value in tags if len(value) > 4)
    entries, taken = b"", 0
    for tag, kind, count, value in tags:
        place = struct.pack("<I", start + (len(far) if not value else taken))
        entries += struct.pack("<HHI", tag, kind, count) + (value.ljust(4, b"\0") if 0 < len(value) <= 4 else place)
        taken += len(value) if len(value) > 4 else 0
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + far + pixels


def odd(tag: int, kind: int, count: int) -> tuple[int, int, int, bytes]:
    return tag, kind, count, (b"\x06\0\0\0\x01\0\0\0" * 2)[: TYPE_BYTES[kind] * count] or b"\x06"


def sideways(*tags: tuple[int, int, int, bytes]) -> list[tuple[int, int, int, bytes]]:
    """`tags` beside an orientation of 6, unless they state one themselves."""
    stated = (0x0112, 3, 1, struct.pack("<H", 6))
    return [*tags] if any(tag == 0x0112 for tag, *_ in tags) else [stated, *tags]


@pytest.mark.parametrize("kind", TYPE_BYTES)
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_odd_metadata_leave_whole_pixels_alone(tmp_path: Path, suffix: str, kind: int) -> None:
    path = tmp_path / f"a.{suffix}"
    for tag in (*TAGS, *STRUCTURE):
        for count in (1, 2):
            ramp().save(path, exif=b"Exif\0\0" + directory(sideways(odd(tag, kind, count))))
            size = open_image(path).size
            assert size == upright_size(path), TAGS.get(tag)
            assert size == (8, 16) or (tag == 0x0112 and size == (16, 8)), TAGS.get(tag)


@pytest.mark.parametrize("kind", TYPE_BYTES)
def test_odd_metadata_leave_the_pixels_of_a_tiff_alone(tmp_path: Path, kind: int) -> None:
    path = tmp_path / "a.tiff"
    shorts = {0x0100: 16, 0x0101: 8, 0x0103: 1, 0x0106: 2, 0x0115: 3, 0x0116: 8}
    layout = [(tag, 3, 1, struct.pack("<H", value)) for tag, value in shorts.items()]
    layout += [
        (0x0102, 3, 3, struct.pack("<HHH", 8, 8, 8)),
        (0x0117, 4, 1, struct.pack("<I", 384)),
        (0x0111, 4, 1, b""),
    ]
    for tag in TAGS:
        for count in (1, 2):
            path.write_bytes(directory([*layout, *sideways(odd(tag, kind, count))], pixels=ramp().tobytes()))
            size = open_image(path).size
            assert size == upright_size(path), TAGS[tag]
            assert size == (8, 16) or (tag == 0x0112 and size == (16, 8)), TAGS[tag]


@pytest.mark.parametrize("block", [b"", b"Exif\0\0", b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff"])
def test_an_unreadable_block_of_metadata_says_nothing(tmp_path: Path, block: bytes) -> None:
    ramp().save(tmp_path / "a.webp", exif=block, lossless=True)
    assert open_image(tmp_path / "a.webp").tobytes() == ramp().tobytes()
    assert upright_size(tmp_path / "a.webp") == (16, 8)


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "avif", "tiff"])
def test_an_animation_shows_its_first_frame(tmp_path: Path, suffix: str) -> None:
    red, blue = Image.new("RGB", (32, 32), (200, 0, 0)), Image.new("RGB", (32, 32), (0, 0, 200))
    red.save(tmp_path / f"a.{suffix}", save_all=True, append_images=[blue, blue])
    pixel = open_image(tmp_path / f"a.{suffix}").getpixel((16, 16))
    assert pixel[0] > 180 > 20 > pixel[2]


def test_grey_with_transparency_and_a_transparent_colour_are_laid_on_white(tmp_path: Path) -> None:
    Image.new("LA", (1, 1), (0, 0)).save(tmp_path / "la.png")
    keyed = ramp()
    keyed.save(tmp_path / "key.png", transparency=(200, 0, 0))
    assert open_image(tmp_path / "la.png").getpixel((0, 0)) == (255, 255, 255)
    assert open_image(tmp_path / "key.png").getpixel((0, 0)) == (255, 255, 255)
    assert open_image(tmp_path / "key.png").getpixel((15, 0)) == (0, 200, 0)


@pytest.mark.parametrize("largest", [1023, 65535])
def test_a_grey_map_of_more_than_8_bits_is_scaled(tmp_path: Path, largest: int) -> None:
    samples = np.array([0, largest // 2 + 1, largest], ">u2")
    (tmp_path / "a.pgm").write_bytes(f"P5 3 1 {largest}\n".encode() + samples.tobytes())
    assert np.asarray(open_image(tmp_path / "a.pgm"))[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("fault", [RuntimeError, SyntaxError, KeyError, TypeError, AssertionError, ZeroDivisionError])
def test_whatever_a_decoder_raises_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: type) -> None:
    ramp().save(tmp_path / "a.png")

    def load(self: Image.Image) -> None:
        raise fault("the decoder's words\non two lines")

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", load)
    with pytest.raises(UserError, match=r"a\.png cannot be read \(.*the decoder's words"):
        open_image(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "webp", "tiff", "bmp", "avif", "ico", "jp2"])
def test_bytes_changed_anywhere_give_a_picture_or_one_line(tmp_path: Path, suffix: str) -> None:
    whole, broken = tmp_path / f"whole.{suffix}", tmp_path / f"broken.{suffix}"
    ramp().resize((32, 32)).save(whole)
    content = whole.read_bytes()
    generator = np.random.default_rng(0)
    for _ in range(60):
        changed = bytearray(content)
        for place in generator.integers(0, min(len(content), generator.choice([16, 64, 1 << 20])), 3):
            changed[place] = generator.choice([0, 255, generator.integers(256)])
        broken.write_bytes(changed[: generator.integers(1, 2 * len(changed))])
        with contextlib.suppress(UserError):
            assert open_image(broken).mode == "RGB"


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
            "heic": b"\0\0\0\x18ftypheic" + bytes(100),
            "pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
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
        ("heic", "cannot be read (HEIC is not decoded here: convert it to JPEG or PNG)"),
        ("pointer", "cannot be read (a Git LFS pointer in place of the file: fetch it with git lfs pull)"),
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
