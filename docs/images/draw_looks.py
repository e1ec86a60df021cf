"""Draw four scenes in each look: `python docs/images/draw_looks.py` writes `looks.jpg` beside it, a row a look."""

from pathlib import Path

from PIL import Image

from vlm_grpo.embedded.scenes import SIZE
from vlm_grpo.embedded.synthetic_vsr import LOOKS, draw, draw_split

SCENES = (1, 3, 7, 12)
GAP = 4


def main() -> None:
    """Write the picture."""
    scenes = [item.scene for item in draw_split("test", 16, seed=0)]
    step = SIZE + GAP
    sheet = Image.new("RGB", (step * len(SCENES) - GAP, step * len(LOOKS) - GAP), "white")
    for row, look in enumerate(LOOKS):
        for column, number in enumerate(SCENES):
            sheet.paste(draw(scenes[number], look=look, seed=0), (step * column, step * row))
    sheet.save(Path(__file__).parent / "looks.jpg", quality=90, subsampling=0)


if __name__ == "__main__":
    main()
