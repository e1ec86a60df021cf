"""`tiny_cryptogram`: rows of the task `cryptogram` that a model of a million parameters can learn to read.

What is simpler than in `tasks.cryptogram`: an alphabet of eight letters; words of two to four of them, drawn at random
and no English, at most two words and five letters a message; pictures of 112 x 112 pixels with a letter pair a tile
(`cipher_scenes`), told apart by colour instead of an arrow. Wording, tags, rewards and the rule that splits share
neither message nor mapping are the task's own.

    python -m vlm_grpo.embedded.tiny_cryptogram --out data/tiny_cryptogram --seed 0
"""

import random
import time
from dataclasses import dataclass
from pathlib import Path

from vlm_grpo.embedded.cipher_scenes import LETTERS, CipherScene, draw_message, draw_scene, render
from vlm_grpo.embedded.rows_command import parser_of, rows_of
from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.rows import dataset
from vlm_grpo.rows.records import Row
from vlm_grpo.store import manifest
from vlm_grpo.tasks.cryptogram import build as full
from vlm_grpo.tasks.cryptogram.build import Cryptogram
from vlm_grpo.tasks.cryptogram.cipher import ALPHABET, POOLS, decode

SOURCE = {"name": "tiny_cryptogram", "revision": "1"}
DEFAULT_ROWS = {"train": 2000, "validation": 344, "test": 344}
MOST_ROWS = {"train": 8000, "validation": 1200, "test": 1200}
"""Beyond these a split would search long for messages that it has not used yet."""


@dataclass(frozen=True)
class TinyRow:
    """One row before it is stored: what it shows, and the cryptogram in the full alphabet."""

    scene: CipherScene
    cryptogram: Cryptogram


def draw_split(split: str, rows: int, *, seed: int) -> list[TinyRow]:
    """`rows` items of `split`, no message and no mapping twice."""
    if not 0 < rows <= MOST_ROWS[split]:
        raise UserError(f"--{split} {rows}: give 1 to {MOST_ROWS[split]} rows, the messages set aside for this split")
    rng = random.Random(f"tiny_cryptogram {split} {seed}")
    messages: set[str] = set()
    mappings: set[str] = set()
    items: list[TinyRow] = []
    while len(items) < rows:
        message, scene = draw_message(rng, pool=split), draw_scene(rng, pool=split)
        if message in messages or scene.mapping in mappings:
            continue
        messages.add(message)
        mappings.add(scene.mapping)
        whole_mapping = decode(ALPHABET, scene.mapping, LETTERS)
        name = f"{split}/{len(items):05d}"
        items.append(TinyRow(scene, Cryptogram(name=name, message=message, mapping=whole_mapping, order=LETTERS)))
    return items


def as_row(item: TinyRow) -> Row:
    """The item in the project's schema: a sequence of the task `cryptogram`."""
    return full.as_row(item.cryptogram, "sequence")


def build(out: Path, *, seed: int, rows: dict[str, int] | None = None) -> None:
    """Write pictures and data set under `out`; `rows` maps each split to its number of rows."""
    started = time.monotonic()
    rows = rows or DEFAULT_ROWS
    config = {"source": SOURCE, "seed": seed, "rows": rows}
    splits = {split: draw_split(split, rows[split], seed=seed) for split in POOLS}
    manifest.claim(out, {"kind": dataset.KIND, **config})
    for split, items in splits.items():
        (out / "images" / split).mkdir(parents=True, exist_ok=True)
        for item in items:
            render(item.scene).save(out / f"images/{item.cryptogram.name}.png", format="PNG")
    dataset.save(
        out,
        {split: [as_row(item) for item in items] for split, items in splits.items()},
        source=SOURCE,
        config=config,
        seconds=time.monotonic() - started,
        seeds={"data": seed},
        shared=full.shared({split: [item.cryptogram for item in items] for split, items in splits.items()}),
    )


@exits_cleanly
def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = parser_of("tiny_cryptogram", description=__doc__, rows=DEFAULT_ROWS)
    given = parser.parse_args(arguments)
    build(given.out, seed=given.seed, rows=rows_of(given, DEFAULT_ROWS))
    print(f"{given.out}: " + ", ".join(f"{getattr(given, split)} {split}" for split in DEFAULT_ROWS))


if __name__ == "__main__":
    main()
