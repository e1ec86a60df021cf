"""`digits`: pictures with one to three handwritten digits, each asked for its digits in order and for their sum.

Every picture yields two rows. Splits share no glyph (see `glyphs`) and hold as many pictures of one, two and three
digits as the number allows; one seed always gives the same bytes.

    python -m vlm_grpo.tasks.digits.build --out data/digits
    python -m vlm_grpo.tasks.digits.build --out data/mnist_digits --source mnist --mnist FOLDER
"""

import argparse
import random
import time
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from PIL import Image

from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.option_types import seed
from vlm_grpo.paths import user_path
from vlm_grpo.rows import dataset
from vlm_grpo.rows.records import Row
from vlm_grpo.store import manifest
from vlm_grpo.tasks.digits import glyphs
from vlm_grpo.tasks.digits.glyphs import POOLS, SOURCES, Glyphs
from vlm_grpo.tasks.digits.pictures import Place, draw_places, render
from vlm_grpo.tasks.digits.questions import MOST, NAME, PROBLEMS, QUESTIONS, Question, solution_of

DEFAULT_PICTURES = {"train": 1000, "validation": 172, "test": 172}


@dataclass(frozen=True, kw_only=True)
class DrawnPicture:
    """One picture before it is stored: its name, the indices of its glyphs and their places, in reading order."""

    name: str
    glyphs: tuple[int, ...]
    places: tuple[Place, ...]

    def digits(self, source: Glyphs) -> tuple[int, ...]:
        """The digits in reading order."""
        return tuple(int(source.labels[index]) for index in self.glyphs)

    def picture(self, source: Glyphs) -> Image.Image:
        """The picture of mode L, 100 x 100 pixels."""
        return render([source.images[index] for index in self.glyphs], self.places)


def draw_split(split: str, pictures: int, source: Glyphs, *, seed: int) -> list[DrawnPicture]:
    """`pictures` items of `split`; one, two and three digits take turns before the order is shuffled."""
    if pictures <= 0:
        raise UserError(f"--{split} {pictures}: give at least one picture")
    rng = random.Random(f"digits {split} {seed}")
    pool = source.pool(split)
    counts = [at % MOST + 1 for at in range(pictures)]
    rng.shuffle(counts)
    return [
        DrawnPicture(
            name=f"{split}/{at:05d}",
            glyphs=tuple(rng.sample(pool, count)),
            places=tuple(draw_places(rng, count)),
        )
        for at, count in enumerate(counts)
    ]


def as_row(item: DrawnPicture, question: Question, source: Glyphs) -> Row:
    """What `question` asks about the item, in the project's schema."""
    digits = item.digits(source)
    return Row(
        id=f"{NAME}/{item.name}-{question}",
        images=(_image(item),),
        problem=PROBLEMS[question],
        solution=solution_of(question, digits),
        task=NAME,
        meta={"question": question, "count": len(digits), "digits": list(digits), "glyphs": list(item.glyphs)},
    )


def build(out: Path, *, source: Glyphs, seed: int, pictures: dict[str, int] | None = None) -> None:
    """Write pictures and data set under `out`; `pictures` maps each split to its number of pictures."""
    started = time.monotonic()
    pictures = pictures or DEFAULT_PICTURES
    config = {"source": source.source, "seed": seed, "pictures": pictures}
    splits = {split: draw_split(split, pictures[split], source, seed=seed) for split in POOLS}
    manifest.claim(out, {"kind": dataset.KIND, **config})
    for split, items in splits.items():
        (out / "images" / split).mkdir(parents=True, exist_ok=True)
        for item in items:
            item.picture(source).save(out / _image(item), format="PNG")
    dataset.save(
        out,
        {split: [as_row(item, q, source) for item in items for q in QUESTIONS] for split, items in splits.items()},
        source=source.source,
        config=config,
        seconds=time.monotonic() - started,
        seeds={"data": seed},
        glyphs={split: len(_used(items)) for split, items in splits.items()},
        shared_glyphs={f"{a}-{b}": len(_used(splits[a]) & _used(splits[b])) for a, b in combinations(POOLS, 2)},
    )


def _image(item: DrawnPicture) -> str:
    return f"images/{item.name}.png"


def _used(items: list[DrawnPicture]) -> set[int]:
    return {index for item in items for index in item.glyphs}


@exits_cleanly
def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m vlm_grpo.tasks.digits.build",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=user_path, required=True, help="folder of the data set")
    parser.add_argument("--seed", type=seed("--seed"), default=0)
    parser.add_argument("--source", choices=SOURCES, default="sklearn", help="where glyphs come from (default sklearn)")
    parser.add_argument("--mnist", type=user_path, metavar="FOLDER", help="MNIST's four IDX files, packed (.gz) or not")
    for split, default in DEFAULT_PICTURES.items():
        parser.add_argument(f"--{split}", type=int, default=default, metavar="N", help=f"pictures (default {default})")
    given = parser.parse_args(arguments)
    pictures = {split: getattr(given, split) for split in DEFAULT_PICTURES}
    build(given.out, source=glyphs.load(given.source, folder=given.mnist), seed=given.seed, pictures=pictures)
    print(f"{given.out}: " + ", ".join(f"{2 * number} {split}" for split, number in pictures.items()))


if __name__ == "__main__":
    main()
