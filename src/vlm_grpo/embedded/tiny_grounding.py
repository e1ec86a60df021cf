"""`tiny_grounding`: rows of the tasks `rec`, `detection` and `masks` on rendered shapes of known box and mask.

Every row has a scene of its own of one to three shapes (`grounding_scenes`), and splits share no layout. Wording,
answers and rewards are the tasks' own; what is simpler than in real pictures is all of the picture.

    python -m vlm_grpo.embedded.tiny_grounding --task rec --out data/tiny_rec --seed 0
    python -m vlm_grpo.embedded.tiny_grounding --task masks --codec cosine8 --out data/tiny_masks_cosine8 --seed 0
"""

import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlm_grpo.embedded.grounding_questions import CODEC, KINDS, Kind, as_row
from vlm_grpo.embedded.grounding_scenes import GroundingScene, Shape, draw_scene, render
from vlm_grpo.embedded.rows_command import parser_of, rows_of
from vlm_grpo.embedded.scenes import POOLS
from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.rows import dataset
from vlm_grpo.store import manifest
from vlm_grpo.tasks.masks.codecs import CODECS

SOURCE = {"name": "tiny_grounding", "revision": "2"}
DEFAULT_ROWS = {"train": 2000, "validation": 300, "test": 300}
MOST_ROWS = {"train": 8000, "validation": 1200, "test": 1200}


@dataclass(frozen=True)
class GroundingRow:
    """One row before it is stored: its scene, and the shapes that it asks about."""

    name: str
    scene: GroundingScene
    asked: tuple[Shape, ...]


def draw_split(split: str, rows: int, *, kind: Kind, seed: int) -> list[GroundingRow]:
    """`rows` items of `split`, no scene twice."""
    if not 0 < rows <= MOST_ROWS[split]:
        raise UserError(f"--{split} {rows}: give 1 to {MOST_ROWS[split]} rows")
    rng = random.Random(f"tiny_grounding {kind} {split} {seed}")
    scenes: set[GroundingScene] = set()
    items: list[GroundingRow] = []
    while len(items) < rows:
        scene = draw_scene(rng, pool=split)
        asked = scene.shapes if kind == "detection" else (rng.choice(scene.shapes),)
        if scene not in scenes:
            scenes.add(scene)
            items.append(GroundingRow(f"{split}/{len(items):05d}", scene, asked))
    return items


def build(out: Path, *, kind: Kind, seed: int, rows: dict[str, int] | None = None, codec: str = CODEC) -> None:
    """Write pictures and data set under `out`; `rows` maps each split to its number of rows, masks are for `codec`."""
    started = time.monotonic()
    rows = rows or DEFAULT_ROWS
    config: dict[str, Any] = {"source": SOURCE, "task": kind, "seed": seed, "rows": rows}
    if kind == "masks":
        config["codec"] = codec
    splits = {split: draw_split(split, rows[split], kind=kind, seed=seed) for split in POOLS}
    manifest.claim(out, {"kind": dataset.KIND, **config})
    for split, items in splits.items():
        (out / "images" / split).mkdir(parents=True, exist_ok=True)
        for item in items:
            render(item.scene).save(out / f"images/{item.name}.png", format="PNG")
    dataset.save(
        out,
        {
            split: [as_row(item.name, kind, item.asked, codec=codec) for item in items]
            for split, items in splits.items()
        },
        source=SOURCE,
        config=config,
        seconds=time.monotonic() - started,
        seeds={"data": seed},
    )


@exits_cleanly
def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = parser_of("tiny_grounding", description=__doc__, rows=DEFAULT_ROWS)
    parser.add_argument("--task", choices=KINDS, required=True, help="what the rows ask for")
    parser.add_argument("--codec", choices=tuple(CODECS), help=f"how masks are to be written ({CODEC})")
    given = parser.parse_args(arguments)
    if given.codec is not None and given.task != "masks":
        raise UserError(f"--codec {given.codec}: rows of the task {given.task} have none; leave it out")
    rows = rows_of(given, DEFAULT_ROWS)
    build(given.out, kind=given.task, seed=given.seed, rows=rows, codec=given.codec or CODEC)
    print(f"{given.out}: " + ", ".join(f"{getattr(given, split)} {split}" for split in DEFAULT_ROWS))


if __name__ == "__main__":
    main()
