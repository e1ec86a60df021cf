"""A sheet of masks, each beside what every codec keeps of it.

    python -m vlm_grpo.tasks.masks.sheet --data data/masks --out sheet.png

The stored mask is tinted, the outline is what is left after encoding and decoding, with its IoU. Rows are drawn with a
seed; shown is what lies around the object, of the picture as it is or, with --no-pictures, on white.
"""

import argparse
import json
import random
from collections.abc import Sequence

import numpy as np
from PIL import Image

from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.option_types import seed, whole
from vlm_grpo.paths import user_path
from vlm_grpo.rows import dataset
from vlm_grpo.rows.pictures import open_picture
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.masks import outlines
from vlm_grpo.tasks.masks.codecs import CODECS
from vlm_grpo.tasks.masks.drawing import PREDICTION, RIM, TRUTH, captioned, outline, tint
from vlm_grpo.tasks.masks.rays import box_of
from vlm_grpo.tasks.masks.task import NAME

TILE = (220, 165)
"""Width and height of a picture on the sheet."""
MARGIN = 0.2
"""Of what lies around an object, as a share of its longer side."""


@exits_cleanly
def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; see the module's docstring or `--help`."""
    parser = argparse.ArgumentParser(prog="python -m vlm_grpo.tasks.masks.sheet", description=__doc__)
    parser.add_argument("--data", type=user_path, required=True, metavar="DIR", help="a data set of masks")
    parser.add_argument("--split", default="validation", help="default %(default)s")
    parser.add_argument("--out", type=user_path, required=True, metavar="FILE.png", help="the sheet")
    parser.add_argument("--count", type=whole("--count", least=1), default=6, help="rows (default %(default)s)")
    parser.add_argument("--seed", type=seed("--seed"), default=0, help="of their draw (default %(default)s)")
    parser.add_argument("--no-pictures", action="store_true", help="leave the pictures white")
    given = parser.parse_args(arguments)
    rows = dataset.load(given.data, given.split)
    if rows[0].task != NAME:
        raise UserError(f"{given.data} is a data set of {rows[0].task}; give one of {NAME}")
    chosen = random.Random(given.seed).sample(rows, min(given.count, len(rows)))
    tiles = []
    for row in chosen:
        height, width = json.loads(row.solution)["size"]
        white = Image.new("RGB", (width, height), "white")
        tiles.append(strip(row, white if given.no_pictures else open_picture(given.data, row.images[0])))
    stacked(tiles).save(given.out)
    print(f"{given.out}: {len(chosen)} masks, {', '.join(CODECS)}")


def strip(row: Row, picture: Image.Image) -> list[Image.Image]:
    """The mask of `row` on `picture` in each codec, as tiles of one size."""
    mask = json.loads(row.solution)
    height, width = mask["size"]
    pixels = outlines.pixels(mask)
    window, tinted = around(pixels), tint(picture, mask, TRUTH)
    tiles = []
    for name, codec in CODECS.items():
        polygon = codec.decode(json.loads(json.dumps(codec.encode(pixels))))
        tile = tinted.resize(TILE, Image.Resampling.BICUBIC, box=window)
        scale = TILE[0] / (window[2] - window[0])
        outline(tile, (polygon - np.array(window[:2])) * scale, PREDICTION)
        iou = outlines.iou(outlines.filled(polygon, width=width, height=height), mask)
        tiles.append(captioned(tile, [(f"{row.meta['category']}, {name}: {iou:.2f}", RIM)]))
    return tiles


def around(mask: np.ndarray) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of what is shown: the box of `mask` with a margin, in the tiles' shape."""
    rows, columns = box_of(mask)
    height, width = mask.shape
    across, down = columns.stop - columns.start, rows.stop - rows.start
    margin = MARGIN * max(across, down)
    scale = max((across + 2 * margin) / TILE[0], (down + 2 * margin) / TILE[1])
    scale = min(scale, width / TILE[0], height / TILE[1])
    sides = TILE[0] * scale, TILE[1] * scale
    middle = (columns.start + columns.stop) / 2, (rows.start + rows.stop) / 2
    left, top = (
        min(max(at - side / 2, 0.0), end - side) for at, side, end in zip(middle, sides, (width, height), strict=True)
    )
    return left, top, left + sides[0], top + sides[1]


def stacked(strips: Sequence[Sequence[Image.Image]], *, gap: int = 6) -> Image.Image:
    """The strips below each other on white."""
    across, down = strips[0][0].width + gap, strips[0][0].height + gap
    sheet = Image.new("RGB", (across * len(strips[0]) + gap, down * len(strips) + gap), "white")
    for y, tiles in enumerate(strips):
        for x, tile in enumerate(tiles):
            sheet.paste(tile, (gap + across * x, gap + down * y))
    return sheet


if __name__ == "__main__":
    main()
