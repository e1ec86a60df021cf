"""`synthetic_vsr`: rendered scenes with a caption and a label, in VSR's own columns.

Every row has a picture of its own. Splits share no layout (see `scenes`), labels are balanced within each relation, and
one seed always gives the same bytes. The rows follow the project's schema; VSR's columns (`image_path`, `caption`,
`label`, `relation`, `subj`, `obj`) stand beside it, and once more in `<split>.jsonl` for readers without `datasets`.
With a habit (`habits`) training rows also have a `completion`, which SFT can teach (`target: completion`).

`--look real` draws the same scenes as a camera sees them (`camera`): same ids, same questions, same answers.

    python -m vlm_grpo.embedded.synthetic_vsr --out data/synthetic_vsr --seed 0
    python -m vlm_grpo.embedded.synthetic_vsr --out data/synthetic_vsr_slips --seed 0 --habit slips
    python -m vlm_grpo.embedded.synthetic_vsr --out data/synthetic_vsr_real --seed 0 --look real
"""

import argparse
import json
import random
import time
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from vlm_grpo.embedded.camera import RANDOMISED, REAL, Look, photograph
from vlm_grpo.embedded.habits import HABITS
from vlm_grpo.embedded.scenes import POOLS, RELATIONS, Scene, caption_of, pair_scene, render
from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.option_types import seed, whole
from vlm_grpo.paths import user_path
from vlm_grpo.rows import dataset
from vlm_grpo.rows.records import Row
from vlm_grpo.store import atomic, manifest
from vlm_grpo.tasks.base import OWN_COMPLETION
from vlm_grpo.tasks.synthetic_vsr import NAME
from vlm_grpo.tasks.vsr.columns import VsrRecord, to_row

SOURCE = {"name": "synthetic_vsr", "revision": "1"}
DEFAULT_ROWS = {"train": 2000, "validation": 344, "test": 344}
"""Multiples of eight: four relations, each with as many true as false captions."""
MOST_ROWS = {"train": 8000, "validation": 1200, "test": 1200}
"""Beyond these a split would search long for layouts that it has not used yet."""
FLAT = "flat"
LOOKS: dict[str, Look | None] = {FLAT: None, "real": REAL, "randomised": RANDOMISED}
"""How scenes are drawn: as flat shapes, or by `camera`."""


@dataclass(frozen=True)
class SceneRow:
    """One row before it is stored: the scene, and what VSR says of a picture."""

    scene: Scene
    record: VsrRecord


def draw_split(split: str, rows: int, *, seed: int) -> list[SceneRow]:
    """`rows` items of `split`, each with a layout of its own; relations and, within them, labels take turns."""
    if not 0 < rows <= MOST_ROWS[split]:
        raise UserError(f"--{split} {rows}: give 1 to {MOST_ROWS[split]} rows, the layouts set aside for this split")
    rng = random.Random(f"synthetic_vsr {split} {seed}")
    plan = [(RELATIONS[i % len(RELATIONS)], i // len(RELATIONS) % 2 == 0) for i in range(rows)]
    used: set[str] = set()
    items = []
    for relation, label in plan:
        scene = pair_scene(rng, relation=relation, label=label, pool=split)
        while scene.layout in used:
            scene = pair_scene(rng, relation=relation, label=label, pool=split)
        used.add(scene.layout)
        items.append((scene, relation, label))
    rng.shuffle(items)
    return [
        SceneRow(
            scene=scene,
            record=VsrRecord(
                image_path=f"images/{split}/{index:05d}.png",
                caption=caption_of(scene, relation),
                label=1 if label else 0,
                relation=relation,
                subj=scene.things[0].name,
                obj=scene.things[1].name,
            ),
        )
        for index, (scene, relation, label) in enumerate(items)
    ]


def as_row(item: SceneRow) -> Row:
    """The item in the project's schema, worded as VSR is."""
    return to_row(
        item.record, task=NAME, id=Path(item.record.image_path).with_suffix("").as_posix().removeprefix("images/")
    )


def with_completions(rows: list[Row], items: list[SceneRow], habit: str, *, seed: int) -> list[Row]:
    """`rows` with what a model of `habit` says to each in the column `completion`; `items` are their scenes."""
    rng = random.Random(f"synthetic_vsr {habit} {seed}")
    return [
        row.model_copy(
            update={
                "meta": {
                    **row.meta,
                    OWN_COMPLETION: HABITS[habit](item.scene, item.record.relation, bool(item.record.label), rng),
                }
            }
        )
        for row, item in zip(rows, items, strict=True)
    ]


def draw(scene: Scene, *, look: str, seed: int) -> Image.Image:
    """The picture of `scene` in one of the `LOOKS`; the flat one knows no seed."""
    style = LOOKS[look]
    return render(scene) if style is None else photograph(scene, style, seed=seed)


def build(
    out: Path, *, seed: int, rows: dict[str, int] | None = None, look: str = FLAT, habit: str | None = None
) -> None:
    """Write pictures, `<split>.jsonl` and the data set under `out`; `rows` maps each split to its number of rows.

    Training rows get completions of `habit`, if any.
    """
    started = time.monotonic()
    rows = rows or DEFAULT_ROWS
    changes = {**({} if look == FLAT else {"look": look}), **({} if habit is None else {"habit": habit})}
    config = {"source": SOURCE, "seed": seed, "rows": rows, **changes}
    splits = {split: draw_split(split, rows[split], seed=seed) for split in POOLS}
    manifest.claim(out, {"kind": dataset.KIND, **config})
    for split, items in splits.items():
        (out / "images" / split).mkdir(parents=True, exist_ok=True)
        for item in items:
            draw(item.scene, look=look, seed=seed).save(out / item.record.image_path, format="PNG")
        columns = (item.record.model_dump(exclude_none=True) for item in items)
        lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in columns)
        atomic.write_text(out / f"{split}.jsonl", "".join(lines))
    stored = {split: [as_row(item) for item in items] for split, items in splits.items()}
    if habit:
        stored["train"] = with_completions(stored["train"], splits["train"], habit, seed=seed)
    dataset.save(
        out,
        stored,
        source=SOURCE,
        config=config,
        seconds=time.monotonic() - started,
        seeds={"data": seed},
    )


@exits_cleanly
def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m vlm_grpo.embedded.synthetic_vsr", description=__doc__)
    parser.add_argument("--out", type=user_path, required=True, help="folder of the data set")
    parser.add_argument("--seed", type=seed("--seed"), default=0)
    parser.add_argument("--look", choices=tuple(LOOKS), default=FLAT, help="how scenes are drawn (flat)")
    parser.add_argument("--habit", choices=HABITS, help="give training rows completions of a model with this habit")
    for split, default in DEFAULT_ROWS.items():
        read = whole(f"--{split}", least=1)
        parser.add_argument(f"--{split}", type=read, default=default, metavar="N", help=f"rows (default {default})")
    given = parser.parse_args(arguments)
    rows = {split: getattr(given, split) for split in DEFAULT_ROWS}
    build(given.out, seed=given.seed, rows=rows, look=given.look, habit=given.habit)
    print(f"{given.out}: " + ", ".join(f"{getattr(given, split)} {split}" for split in DEFAULT_ROWS))


if __name__ == "__main__":
    main()
