"""Build a data set of `detection` from own records: VLM-R1's JSONL whose answers are lists of labelled boxes.

    python -m vlm_grpo.tasks.detection.records --data_file_paths a.jsonl:b.jsonl --image_folders x:y --out DIR
    python -m vlm_grpo.tasks.detection.records --data_file_paths a.jsonl --coordinates thousandths --out DIR

Records are those of `python -m vlm_grpo.tasks.jsonl`, with one picture each. An answer is None or a JSON list of
{"bbox_2d": [x1, y1, x2, y2], "label": "dog"}, in a code fence or not. VLM-R1 compares these numbers with a model's as
they are; here they are pixels of the picture as its file is, or thousandths of its sides, and a model is told its own
frame. Boxes are clipped to their picture. Methods that records name play no part: --rewards names rewards when a model
is trained.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from vlm_grpo.errors import UserError, exits_cleanly, tell
from vlm_grpo.paths import user_path
from vlm_grpo.rows import dataset
from vlm_grpo.rows.images import upright_size
from vlm_grpo.rows.links import bring
from vlm_grpo.rows.records import Row
from vlm_grpo.store import jsonl, manifest
from vlm_grpo.store.lock import only_writer
from vlm_grpo.store.provenance import file_hash
from vlm_grpo.tasks.detection.task import DETECTIONS, NAME, Boxes, to_pixels, write
from vlm_grpo.tasks.jsonl import build as own_records
from vlm_grpo.tasks.jsonl.command import data_options, options
from vlm_grpo.tasks.jsonl.records import Fault, Record
from vlm_grpo.tasks.jsonl.sources import pair
from vlm_grpo.tasks.jsonl.task import MARKER, METHOD
from vlm_grpo.tasks.rec.boxes import clipped
from vlm_grpo.tasks.rec.example import LEAST_SIDE, Coordinates
from vlm_grpo.tasks.view import View


@exits_cleanly
def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; see the module's docstring or `--help`."""
    parser = argparse.ArgumentParser(
        prog="python -m vlm_grpo.tasks.detection.records",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[data_options()],
    )
    parser.add_argument(
        "--coordinates",
        choices=get_args(Coordinates),
        default="pixels",
        help="of the answers' boxes (default %(default)s, of the picture as its file is)",
    )
    parser.add_argument("--out", type=user_path, required=True, help="folder of the data set")
    given = parser.parse_args(arguments)
    if given.reward_method is not None:
        tell(f"--reward_method {given.reward_method}: passed over; --rewards names the reward when a model is trained")
    sources = pair(given.data_file_paths, given.image_folders, None)
    build(given.out, own_records.read(sources, kind=DETECTIONS), options(given), given.coordinates)
    for split, count in manifest.read(given.out, kind=dataset.KIND)["counts"].items():
        boxes = sum(row.meta["objects"] for row in dataset.load(given.out, split))
        print(f"{split}: {count} rows, {boxes} boxes")
    print(f"data set: {given.out}")


def build(out: Path, own: own_records.Own, options: own_records.Options, coordinates: Coordinates) -> None:
    """Write the records as rows to `out`, with links to their pictures."""
    started = time.monotonic()
    own, boxes = _vetted(own_records.without_pictures_that_fail(own), coordinates)
    own_records.check_dropped(own, options, listed=out.with_name(f"{out.name}.{own_records.DROPPED}"))
    rows = [_as_detection(row, listed) for row, listed in zip(own_records.rows(own), boxes, strict=True)]
    splits = own_records.part(rows, own, options)
    hashes = {str(source.file): file_hash(source.file) for source in own.sources}
    config: dict[str, Any] = {"coordinates": coordinates, **vars(options)}
    manifest.claim(out, {"kind": dataset.KIND, "task": NAME, "sha256": hashes, **config})
    with only_writer(out, doing="building"):
        dropped = [{"split": None, "id": f"{f.file} line {f.line}", "reason": f.reason} for f in own.faults]
        pictures = bring({out / place: path for path, place in own.pictures().items()})
        jsonl.write(out / own_records.DROPPED, dropped)
        dataset.save(
            out,
            splits,
            source={"name": "own records", "sha256": hashes},
            config=config,
            seconds=time.monotonic() - started,
            dropped=dropped,
            seeds={"split_seed": options.split_seed},
            pictures=pictures,
        )


def _vetted(own: own_records.Own, coordinates: Coordinates) -> tuple[own_records.Own, list[Boxes]]:
    """The records that can be used and, of each, its boxes in pixels; the others are among the faults."""
    kept, listed, faults = [], [], list(own.faults)
    for record in own.records:
        try:
            listed.append(_boxes(record, coordinates))
        except UserError as error:
            faults.append(Fault(record.source.file, record.line, str(error)))
        else:
            kept.append(record)
    order = {source.file: n for n, source in enumerate(own.sources)}
    return replace(own, records=kept, faults=sorted(faults, key=lambda fault: (order[fault.file], fault.line))), listed


def _boxes(record: Record, coordinates: Coordinates) -> Boxes:
    """The boxes that `record` lists, in pixels and inside its picture; `UserError` where they are not."""
    if len(record.pictures) != 1:
        raise UserError(f"it has {len(record.pictures)} pictures; boxes lie in one")
    size = upright_size(record.pictures[0])
    stated = DETECTIONS.solution(record.solution, where="its answer")
    boxes = []
    for box in to_pixels(stated, View(frame=coordinates, sizes=(size,), shown=(size,))):
        if box["label"] is None:
            raise UserError(f"its box {box['bbox_2d']} has no label")
        left, top, right, bottom = inside = clipped(box["bbox_2d"], size)
        if right - left < LEAST_SIDE or bottom - top < LEAST_SIDE:
            raise UserError(f"of its box {box['bbox_2d']} less than a pixel lies in the {size[0]} x {size[1]} picture")
        boxes.append({"bbox_2d": [round(side, 2) for side in inside], "label": box["label"]})
    return boxes


def _as_detection(row: Row, boxes: Boxes) -> Row:
    """A row of own records as one of `detection`; its picture comes first, wherever the record placed it."""
    meta = {name: value for name, value in row.meta.items() if name != METHOD}
    meta |= {"objects": len(boxes), "labels": len({box["label"] for box in boxes})}
    question = row.problem.replace(MARKER, "").strip()
    return row.model_copy(update={"task": NAME, "problem": question, "solution": write(boxes), "meta": meta})


if __name__ == "__main__":
    main()
