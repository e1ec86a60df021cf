"""Build a data set of `gui`: from VLM-R1's records beside their screenshots, or from drawn screenshots.

    python -m vlm_grpo.tasks.gui.build --records gui_multi-image.jsonl --images FOLDER --val_split_ratio 0.1 --out DIR
    python -m vlm_grpo.tasks.gui.build --drawn 200 --val_split_ratio 0.2 --out DIR

VLM-R1's 1,797 records hold two of the five answers, and never "No Defect"; their screenshots are a download of their
own. Drawn ones hold all five equally often. Records that cannot be used are listed in OUT.dropped.jsonl and stop the
build unless --max-dropped allows for them. Rows that share a picture stay on one side of the split.
"""

import argparse
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.option_types import seed, share, whole
from vlm_grpo.paths import user_path
from vlm_grpo.rows import dataset
from vlm_grpo.rows.links import bring
from vlm_grpo.rows.records import Row
from vlm_grpo.store import jsonl, manifest
from vlm_grpo.store.lock import only_writer
from vlm_grpo.store.provenance import file_hash
from vlm_grpo.tasks.gui import windows
from vlm_grpo.tasks.gui.questions import CLASSES, NAME, action_of, problem
from vlm_grpo.tasks.jsonl import build as own_records
from vlm_grpo.tasks.jsonl.sources import Source
from vlm_grpo.tasks.jsonl.split import held_out
from vlm_grpo.tasks.registry import check_solutions

TRAIN, VALIDATION = own_records.TRAIN, own_records.VALIDATION


@exits_cleanly
def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; see the module's docstring or `--help`."""
    parser = argparse.ArgumentParser(
        prog="python -m vlm_grpo.tasks.gui.build",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--records", type=user_path, metavar="FILE.jsonl", help="records in VLM-R1's form")
    source.add_argument("--drawn", type=whole("--drawn", least=len(CLASSES)), metavar="N", help="draw so many rows")
    parser.add_argument("--images", type=user_path, metavar="FOLDER", help="where the records' screenshots are")
    parser.add_argument("--out", type=user_path, required=True, help="folder of the data set")
    parser.add_argument("--val_split_ratio", type=share("--val_split_ratio"), default=0.0, metavar="SHARE")
    parser.add_argument("--seed", type=seed("--seed"), default=42, help="of split and drawings (default 42)")
    parser.add_argument("--max-dropped", type=share("--max-dropped"), default=0.0, metavar="SHARE")
    given = parser.parse_args(arguments)
    if (given.records is None) != (given.images is None):
        raise UserError("give --images, the folder of the screenshots, with --records and only with it")
    if given.records is not None:
        build(given.out, given.records, given.images, given.val_split_ratio, given.seed, given.max_dropped)
    else:
        build_drawn(given.out, given.drawn, given.val_split_ratio, given.seed)
    built = manifest.read(given.out, kind=dataset.KIND)
    for split, answers in built["solutions"].items():
        print(f"{split}: {built['counts'][split]} rows; " + ", ".join(f"{n} {name}" for name, n in answers.items()))


def build(out: Path, records: Path, images: Path, ratio: float, seed: int, max_dropped: float) -> None:
    """Write the records, as they are, and links to their screenshots under `images`."""
    started = time.monotonic()
    options = own_records.Options(ratio, seed, max_dropped)
    own = own_records.read([Source(records, str(images), "all_match")])
    own = own_records.without_pictures_that_fail(own)
    own_records.check_dropped(own, options, listed=out.with_name(f"{out.name}.{own_records.DROPPED}"))
    rows = [_as_gui(row) for row in own_records.rows(own)]
    check_solutions(rows, where=str(records))
    source = {"name": "local file", "sha256": file_hash(records)}
    dropped = [{"split": None, "id": f"line {fault.line}", "reason": fault.reason} for fault in own.faults]
    manifest.claim(out, {"kind": dataset.KIND, "task": NAME, **source, **vars(options)})
    with only_writer(out, doing="building"):
        linked = bring({out / place: path for path, place in own.pictures().items()})
        jsonl.write(out / own_records.DROPPED, dropped)
        _save(out, rows, ratio, seed, source=source, dropped=dropped, pictures=linked, started=started)


def build_drawn(out: Path, count: int, ratio: float, seed: int) -> None:
    """Draw `count` rows, each answer in turn, and write them."""
    started = time.monotonic()
    manifest.claim(out, {"kind": dataset.KIND, "task": NAME, "drawn": count, "seed": seed, "val_split_ratio": ratio})
    with only_writer(out, doing="building"):
        (out / "images").mkdir(exist_ok=True)
        rng = random.Random(seed)
        rows = [_drawn(out, number, CLASSES[number % len(CLASSES)], rng) for number in range(count)]
        _save(out, rows, ratio, seed, source={"name": "drawn"}, dropped=[], started=started)


def _as_gui(row: Row) -> Row:
    """A row of own records as one of this task, with the action's verb and the part of the source's name before `-`."""
    if len(row.images) != 2:
        raise UserError(f"row {row.id}: {len(row.images)} pictures; this task shows two, before and after")
    action = action_of(row.problem) or "(none)"
    meta = {"action": action, "verb": action.split()[0].lower(), "source": Path(row.images[0]).name.split("-")[0]}
    return row.model_copy(update={"task": NAME, "meta": meta})


def _drawn(out: Path, number: int, defect: str, rng: random.Random) -> Row:
    before = windows.Screen(
        page=rng.randrange(2),
        is_on=(rng.random() < 0.5, rng.random() < 0.5),
        field=rng.choice(("", *windows.WORDS)),
        first=rng.randrange(1, 20),
    )
    action = rng.choice([action for action in windows.actions(before) if windows.allows(action, defect)])
    images = []
    for name, screen in (("before", before), ("after", windows.after(before, action, defect, rng))):
        images.append(f"images/{number}-{name}.png")
        windows.draw(screen).save(out / images[-1])
    return Row(
        id=f"drawn-{number}",
        images=tuple(images),
        problem=problem(action.words),
        solution=defect,
        task=NAME,
        meta={"action": action.words, "verb": action.words.split()[0], "source": "drawn"},
    )


def _save(
    out: Path, rows: list[Row], ratio: float, seed: int, *, source: dict[str, Any], started: float, **more: Any
) -> None:
    validation = held_out([row.images for row in rows], ratio=ratio, seed=seed) if ratio else set()
    splits = {TRAIN: [row for number, row in enumerate(rows) if number not in validation]}
    if validation:
        splits[VALIDATION] = [row for number, row in enumerate(rows) if number in validation]
    dataset.save(
        out,
        splits,
        source=source,
        config={"val_split_ratio": ratio},
        seconds=time.monotonic() - started,
        seeds={"seed": seed},
        **more,
    )


if __name__ == "__main__":
    main()
