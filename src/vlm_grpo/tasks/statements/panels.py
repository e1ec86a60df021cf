"""Four panels in one picture: the scene, its depth, and below them the place of each thing alone, white on black."""

from PIL import Image, ImageDraw

from vlm_grpo.tasks.statements.statement import Box

NAME = "rgb, depth / subject's box, object's box"
"""In the manifest: the panels row by row."""


def four_panels(rgb: Image.Image, depth: Image.Image, subject: Box | None, object: Box | None) -> Image.Image:
    """RGB, twice as wide and high as `rgb`; boxes are in its pixels, and a thing without one leaves its panel black."""
    width, height = rgb.size
    sheet = Image.new("RGB", (2 * width, 2 * height))
    sheet.paste(rgb, (0, 0))
    sheet.paste(depth.convert("RGB").resize(rgb.size), (width, 0))
    for box, left in ((subject, 0), (object, width)):
        if box is not None:
            panel = Image.new("RGB", rgb.size)
            x1, y1, x2, y2 = (round(edge) for edge in box)
            ImageDraw.Draw(panel).rectangle((x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)), fill="white")
            sheet.paste(panel, (left, height))
    return sheet
