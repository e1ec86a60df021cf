"""A small data set of coloured pictures with statements about them, in the schema and layout of the real ones."""

from pathlib import Path

from PIL import Image

from vlm_grpo.rows import dataset
from vlm_grpo.rows.records import Row

COLOURS = ("red", "green", "blue", "yellow")
RELATIONS = ("left of", "above", "on top of")


def tiny_rows(count: int, *, split: str = "validation") -> list[Row]:
    """`count` rows over four pictures, True and False in turns, three relations."""
    return [
        Row(
            id=f"{split}-{i:03d}",
            images=(f"images/{COLOURS[i % len(COLOURS)]}.png",),
            problem="Is the following statement true: " + " ".join(["The red circle is"] * (1 + i % 3)) + " here.",
            solution=f"<answer> {i % 2 == 0} </answer>",
            task="vsr",
            meta={"relation": RELATIONS[i % len(RELATIONS)]},
        )
        for i in range(count)
    ]


def save_pictures(root: Path) -> None:
    """The four pictures the rows show, 112 pixels square."""
    (root / "images").mkdir(parents=True, exist_ok=True)
    for colour in COLOURS:
        Image.new("RGB", (112, 112), colour).save(root / "images" / f"{colour}.png")


def save_tiny_data(root: Path, **splits: list[Row]) -> Path:
    """Write a data set to `root`; by default a validation split of 12 rows and a test split of 6."""
    save_pictures(root)
    rows_of = splits or {"validation": tiny_rows(12), "test": tiny_rows(6, split="test")}
    dataset.save(root, rows_of, source={"name": "tiny"}, config={}, seconds=0.0)
    return root
