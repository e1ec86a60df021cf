"""Draw what a group of completions costs: `python docs/images/draw_fast_grpo.py` writes `fast_grpo.svg` beside it."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

GROUP = 4
PICTURE, PROMPT, COMPLETION = "#1f5fa8", "#5d94c9", "#c8702a"
HEIGHT, GAP = 0.62, 0.38
LENGTHS = (2.6, 1.7, 3.1, 2.2)


def bar(axis: Axes, left: float, row: float, width: float, colour: str, text: str = "") -> None:
    """A run of tokens in row `row`, counted from the top."""
    axis.add_patch(Rectangle((left, -row * (HEIGHT + GAP)), width, HEIGHT, color=colour, linewidth=0))
    axis.text(left + width / 2, -row * (HEIGHT + GAP) + HEIGHT / 2, text, ha="center", va="center", color="white")


def trl(axis: Axes) -> None:
    """Every completion brings its own picture and prompt."""
    for row in range(GROUP):
        bar(axis, 0, row, 4, PICTURE, "picture")
        bar(axis, 4, row, 1.8, PROMPT, "prompt")
        bar(axis, 5.8, row, LENGTHS[row], COMPLETION, f"completion {row + 1}")
    axis.set_title("TRL: in each pass, picture and prompt G times", loc="left", fontsize=11)


def ours(axis: Axes) -> None:
    """One prompt, its cache, the completions; the gradient comes back the same way."""
    middle = (GROUP - 1) / 2
    bar(axis, 0, middle, 4, PICTURE, "picture (encoded once)")
    bar(axis, 4, middle, 1.8, PROMPT, "prompt")
    for row in range(GROUP):
        bar(axis, 8.2, row, LENGTHS[row], COMPLETION, f"completion {row + 1}")
        y = -row * (HEIGHT + GAP) + HEIGHT / 2
        start = (5.85, -middle * (HEIGHT + GAP) + HEIGHT / 2)
        axis.add_patch(FancyArrowPatch(start, (8.15, y), arrowstyle="<->", mutation_scale=11, color="0.35"))
    axis.text(7.0, HEIGHT + 0.25, "keys and values\nout, gradients back", ha="center", va="center", fontsize=9)
    axis.set_title("Ours: once", loc="left", fontsize=11)


def main() -> None:
    """Write the drawing."""
    figure = Figure(figsize=(10.4, 5.2), layout="constrained")
    for axis, draw in zip(figure.subplots(2, 1), (trl, ours), strict=True):
        draw(axis)
        axis.set_xlim(-0.1, 11.6)
        axis.set_ylim(-(GROUP - 1) * (HEIGHT + GAP) - 0.15, HEIGHT + 0.75)
        axis.axis("off")
    figure.savefig(Path(__file__).with_name("fast_grpo.svg"), metadata={"Date": None})


if __name__ == "__main__":
    main()
