"""Build a data set of items: vet boxes and sizes against the pictures, filter as asked, part train, write rows.

What cannot be used is listed with its reason and stops the build unless `max_dropped` allows for it; what a filter
leaves out is listed too. Nothing is rescaled: boxes stay in pixels of the picture as its file is.
"""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from vlm_grpo.adapters.base import Size
from vlm_grpo.errors import UserError
from vlm_grpo.rows import dataset
from vlm_grpo.rows.images import upright_size
from vlm_grpo.rows.links import bring
from vlm_grpo.rows.pictures import faulty
from vlm_grpo.rows.records import Row, first_fault
from vlm_grpo.store import jsonl, manifest
from vlm_grpo.store.lock import only_writer
from vlm_grpo.store.provenance import file_hash
from vlm_grpo.tasks.driving.columns import BoxWording, DrivingRecord, Entity, to_row
from vlm_grpo.tasks.driving.interleaved import converted, inside
from vlm_grpo.tasks.driving.items import Item, Items
from vlm_grpo.tasks.rec.example import Unusable

DROPPED = "dropped.jsonl"
TRAIN, SFT, GRPO = "train", "sft", "grpo"


@dataclass(frozen=True)
class Options:
    """What is built of a source.

    Attributes:
        boxes: whether rows ask for boxes in the reasoning, and teach them.
        one_question: leave out items with two questions, as the study does.
        max_pixels: leave out larger pictures (width times height), as the study does above 3,686,400.
        only_explained: leave out items of `train` without the explanation, with boxes where they are asked, for SFT.
        sft_rows: part `train`, shuffled with `seed`, into the first so many (`sft`) and the others (`grpo`).
        seed: of that shuffle, the one of `datasets.Dataset.shuffle`.
        max_dropped: largest share of a split that may be left out for a fault.
    """

    boxes: BoxWording = "bbox"
    one_question: bool = False
    max_pixels: int | None = None
    only_explained: bool = False
    sft_rows: int | None = None
    seed: int = 42
    max_dropped: float = 0.0


def build(out: Path, source: Items, options: Options, *, task: str) -> None:
    """Write the items of `source` as rows of `task` to `out`, with links to their pictures."""
    started = time.monotonic()
    hashes = {name: file_hash(path) for name, path in source.files.items()}
    vetted = _vetted(source, options, task)
    _check_dropped(vetted, options.max_dropped, listed=out.with_name(f"{out.name}.{DROPPED}"))
    splits = vetted.splits if options.sft_rows is None else _parted(vetted.splits, options)
    left_out = vetted.faults + vetted.filtered
    identity = {"kind": dataset.KIND, "task": task, "sha256": hashes, **asdict(options)}
    manifest.claim(out, identity, not_compared=("max_dropped",))
    with only_writer(out, doing="building"):
        kept = {name for split in splits.values() for row in split for name in row.images}
        pictures = bring({out / item.place: item.picture for item in source.items if item.place in kept})
        jsonl.write(out / DROPPED, left_out)
        dataset.save(
            out,
            splits,
            source={"name": source.name, "revision": source.revision, "sha256": hashes},
            config=asdict(options),
            seconds=time.monotonic() - started,
            dropped=left_out,
            seeds={"shuffle": options.seed},
            pictures=pictures,
            frame="[x1, y1, x2, y2] by their edges, in pixels of the upright picture",
            boxes_left_out=dict(vetted.boxes),
            **{name: {split: count(of) for split, of in splits.items()} for name, count in COUNTS.items()},
        )


COUNTS: Mapping[str, Any] = {
    "two_questions": lambda rows: sum(row.meta["questions"] == 2 for row in rows),
    "several_right": lambda rows: sum(row.meta["right"] > 1 for row in rows),
    "explained": lambda rows: sum(row.meta["explanation"] is not None for row in rows),
    "boxes": lambda rows: sum(len(row.meta["entities"] or ()) for row in rows),
}
"""What the manifest counts of each split, beside rows and pictures."""


@dataclass
class Vetted:
    """The rows by split, the items that cannot be used, those that a filter left out, and boxes left out by reason."""

    splits: dict[str, list[Row]]
    faults: list[dict[str, Any]]
    filtered: list[dict[str, Any]]
    boxes: Counter[str]


def _vetted(source: Items, options: Options, task: str) -> Vetted:
    vetted = Vetted({}, list(source.dropped), [], Counter())
    broken = faulty(item.picture for item in source.items)
    for item in source.items:
        rows = vetted.splits.setdefault(item.split, [])
        listed = {"split": item.split, "id": item.id}
        try:
            if item.picture in broken:
                raise Unusable(f"picture {item.picture} {broken[item.picture]}")
            size = upright_size(item.picture)
            record, lost = as_record(item, size, options.boxes)
        except Unusable as fault:
            vetted.faults.append({**listed, "reason": str(fault)})
            continue
        if reason := _unwanted(record, item.split, options):
            vetted.filtered.append({**listed, "reason": f"filter: {reason}"})
            continue
        row = to_row(record, id=item.id, task=task)
        rows.append(row.model_copy(update={"meta": {**row.meta, **item.columns}}))
        vetted.boxes.update(lost)
    return vetted


def _unwanted(record: DrivingRecord, split: str, options: Options) -> str | None:
    """Why a filter leaves `record` out; None where none does."""
    width, height = record.width, record.height
    explanation = record.explanation_boxes if options.boxes == "bbox" else record.explanation
    if options.one_question and len(record.questions) > 1:
        return "it has two questions"
    if options.max_pixels is not None and width * height > options.max_pixels:
        return f"its picture of {width} x {height} has more than {options.max_pixels} pixels"
    if options.only_explained and split == TRAIN and explanation is None:
        return "it has no explanation to teach"
    return None


def as_record(item: Item, size: Size, boxes: BoxWording) -> tuple[DrivingRecord, list[str]]:
    """`item`, whose picture is (width, height) `size`, and what became of boxes that were left out.

    `Unusable` where the picture is another than the source knew, or the item's parts do not fit together.
    """
    if item.size is not None and item.size != size:
        (wide, high), (width, height) = item.size, size
        raise Unusable(f"picture {item.picture} is {width} x {height} pixels, and its boxes are for {wide} x {high}")
    entities, lost = None, []
    if item.entities is not None:
        shown = [(label, inside(box, size)) for label, box in item.entities]
        entities = tuple(
            Entity(label=label, bbox_2d=(box[0], box[1], box[2], box[3])) for label, box in shown if box is not None
        )
        lost += ["entity outside of its picture"] * (len(shown) - len(entities))
    explanation = converted(item.interleaved or item.explanation or "", item.entities or (), size)
    lost += ["in an explanation"] * len(explanation.left_out)
    try:
        record = DrivingRecord(
            image_path=item.place,
            width=size[0],
            height=size[1],
            questions=item.questions,
            letters=tuple(item.options),
            options=tuple(item.options.values()),
            right=item.right,
            entities=entities,
            explanation=explanation.without or None,
            explanation_boxes=(explanation.with_boxes or None) if item.interleaved else None,
            boxes=boxes,
            exam=item.exam,
        )
    except ValidationError as error:
        raise Unusable(first_fault(error)) from None
    return record, lost


def _parted(splits: dict[str, list[Row]], options: Options) -> dict[str, list[Row]]:
    """`sft` and `grpo` in place of `train`."""
    assert options.sft_rows is not None
    rows = splits.get(TRAIN, [])
    if len(rows) <= options.sft_rows:
        raise UserError(
            f"--sft-rows {options.sft_rows} leaves nothing for GRPO: split {TRAIN!r} has {len(rows)} rows; lower it"
        )
    order = np.random.default_rng(options.seed).permutation(len(rows))
    shuffled = [rows[place] for place in order]
    parts = {SFT: shuffled[: options.sft_rows], GRPO: shuffled[options.sft_rows :]}
    return parts | {split: of for split, of in splits.items() if split != TRAIN}


def _check_dropped(vetted: Vetted, most: float, *, listed: Path) -> None:
    """`UserError` where too much of a split cannot be used; the file `listed` then has all of it."""
    listed.unlink(missing_ok=True)
    for split in dict.fromkeys([*vetted.splits, *(fault["split"] for fault in vetted.faults)]):
        rows, gone = vetted.splits.get(split, []), [fault for fault in vetted.faults if fault["split"] == split]
        if not rows and not gone:
            raise UserError(f"no item of split {split!r} is left behind the filters; loosen them")
        if rows and len(gone) <= most * (len(rows) + len(gone)):
            continue
        listed.parent.mkdir(parents=True, exist_ok=True)
        jsonl.write(listed, vetted.faults)
        raise UserError(
            f"{len(gone)} of {len(rows) + len(gone)} items of split {split!r} cannot be used, the first is "
            f"{gone[0]['id']}: {gone[0]['reason']}; all are listed in {listed}: mend them, or leave out as many with "
            "--max-dropped"
        )
