"""A look as an animation, one frame a token: GIF and PNG by Pillow, MP4 where ffmpeg is installed.

The picture is covered where attention went; beside it stands the completion, with the share of each token.
"""

import io
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

from vlm_grpo.attention.shown import Shown
from vlm_grpo.errors import UserError

SIDE, MARGIN, LINE, TEXT = 480, 24, 26, 640
"""Pixels: a picture's longest side, the margin, a line's height, the text's width."""
FRAMES_A_SECOND = 2
HOT, CURRENT, INK, PAPER, DIM = (213, 94, 0), (0, 114, 178), (26, 26, 26), (255, 255, 255), (170, 170, 170)


def check(kind: str | None) -> None:
    """`UserError` where there is no ffmpeg for an MP4."""
    if kind == "mp4" and shutil.which("ffmpeg") is None:
        raise UserError("--animate mp4 needs ffmpeg, which is not on PATH; install it, or say --animate gif")


def encode(kind: str, shown: Shown) -> bytes:
    """The animation as a file of that kind: gif, png (animated) or mp4."""
    images = list(frames(shown))
    if kind == "mp4":
        return _mp4(images)
    stored = io.BytesIO()
    duration = 1000 // FRAMES_A_SECOND
    images[0].save(stored, kind.upper(), save_all=True, append_images=images[1:], duration=duration, loop=0)
    return stored.getvalue()


def frames(shown: Shown) -> Iterator[Image.Image]:
    """One frame a token of the completion; all of one size, both sides even."""
    font = ImageFont.truetype(str(Path(get_data_path()) / "fonts/ttf/DejaVuSansMono.ttf"), 17)
    picture = shown.pictures[0] if shown.pictures else None
    scale = SIDE / max(picture.size) if picture else 0.0
    size = (round(picture.width * scale), round(picture.height * scale)) if picture else (0, 0)
    places = list(_lay_out(shown.tokens, font))
    height = max(size[1], (places[-1][1] if places else 0) + LINE) + 2 * MARGIN
    width = size[0] + TEXT + 3 * MARGIN
    strengths, texts = shown.cell_strengths, shown.text_strengths[:, len(shown.context) :]
    for at in range(len(shown.tokens)):
        frame = Image.new("RGB", (width + width % 2, height + height % 2), PAPER)
        if picture is not None:
            frame.paste(_covered(shown, picture, size, strengths[at].tolist()), (MARGIN, MARGIN))
        draw = ImageDraw.Draw(frame)
        for index, (x, y, piece) in enumerate(places):
            corner = (size[0] + 2 * MARGIN + x, MARGIN + y)
            extent = draw.textbbox(corner, piece, font=font)
            if index == at:
                draw.rectangle(extent, fill=CURRENT)
            elif index < at:
                draw.rectangle(extent, fill=_mixed(HOT, float(texts[at, index]) * 0.6))
            draw.text(corner, piece, font=font, fill=PAPER if index == at else INK if index < at else DIM)
        yield frame


def _covered(shown: Shown, picture: Image.Image, size: tuple[int, int], strengths: list[float]) -> Image.Image:
    base = picture.convert("RGB").resize(size)
    cover = Image.new("L", size, 0)
    for cell, value in zip(shown.look.cells, strengths, strict=True):
        if cell.picture == 0:
            left, top, right, bottom = (round(share * size[at % 2]) for at, share in enumerate(cell.box))
            area = (left, top, max(left + 1, right), max(top + 1, bottom))
            darkest = max(cover.crop(area).getextrema()[1], round(value * 150))
            cover.paste(darkest, area)
    return Image.composite(Image.new("RGB", size, HOT), base, cover)


def _lay_out(tokens: list[str], font: ImageFont.FreeTypeFont) -> Iterator[tuple[int, int, str]]:
    """(x, y, piece) in pixels of each token, broken into lines."""
    x = y = 0
    for token in tokens:
        piece = token.replace("\n", "⏎")
        width = round(font.getlength(piece))
        if x and x + width > TEXT:
            x, y = 0, y + LINE
        yield x, y, piece
        x += width
        if "\n" in token:
            x, y = 0, y + LINE


def _mixed(colour: tuple[int, int, int], share: float) -> tuple[int, int, int]:
    red, green, blue = (round(255 + (value - 255) * share) for value in colour)
    return red, green, blue


def _mp4(images: list[Image.Image]) -> bytes:
    size = f"{images[0].width}x{images[0].height}"
    words = ["ffmpeg", "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size]
    words += [
        "-r",
        str(FRAMES_A_SECOND),
        "-i",
        "-",
        "-pix_fmt",
        "yuv420p",
        "-movflags",
        "frag_keyframe+empty_moov",
        "-f",
        "mp4",
        "-",
    ]
    done = subprocess.run(words, input=b"".join(image.tobytes() for image in images), capture_output=True, check=False)
    if done.returncode:
        raise UserError(f"ffmpeg cannot write the animation: {done.stderr.decode(errors='replace').strip()[:200]}")
    return done.stdout
