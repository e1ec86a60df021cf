"""From COCO's instances to rows of `detection`: one a picture, with the boxes of all kinds that are asked for.

A picture with a crowd of a kind that is asked for is left out: its members cannot be listed one by one, and who lists
them would be punished. So is one with more objects than an answer has room for. Pictures without any object of these
kinds (`None` is the answer) are drawn, with a seed, down to the share that is wanted.
"""

import random
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vlm_grpo.errors import UserError
from vlm_grpo.rows import dataset
from vlm_grpo.rows.links import bring
from vlm_grpo.rows.records import Row
from vlm_grpo.store import jsonl, manifest
from vlm_grpo.store.lock import only_writer
from vlm_grpo.tasks.coco import files
from vlm_grpo.tasks.coco.instances import Instance, Instances, Picture
from vlm_grpo.tasks.coco.options import Source, counted
from vlm_grpo.tasks.detection.task import NAME, write

DROPPED = "dropped.jsonl"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which pictures make rows.

    Attributes:
        most: objects in a picture, at most.
        negatives: the largest share of a split's rows in which nothing is to be listed.
        seed: of the draw of these.
    """

    most: int = 20
    negatives: float = 0.1
    seed: int = 0


def problem(kinds: tuple[str, ...]) -> str:
    """The question."""
    return (
        f"Find every object of these kinds in the picture: {', '.join(kinds)}. Give the box and the kind of each; "
        "where there is none, say None."
    )


def as_row(picture: Picture, objects: list[Instance], *, split: str, kinds: tuple[str, ...]) -> Row:
    """The row of `picture`; boxes in pixels of the picture, to two decimals."""
    boxes = [{"bbox_2d": [round(side, 2) for side in entry.box], "label": entry.category} for entry in objects]
    return Row(
        id=f"{split}-{picture.id}",
        images=(files.picture_name(picture, split),),
        problem=problem(kinds),
        solution=write(boxes),
        task=NAME,
        meta={"image_id": picture.id, "objects": len(boxes), "labels": len({entry.category for entry in objects})},
    )


def rows_of(
    read: Instances, split: str, *, kinds: tuple[str, ...], choice: Choice
) -> tuple[list[tuple[Picture, Row]], list[dict[str, Any]]]:
    """The rows of a split with their pictures, in the file's order, and what is left out: objects and pictures."""
    dropped = [_drop(split, f"object {id}", "unusable object", reason) for id, reason in read.faults]
    objects: dict[int, list[Instance]] = defaultdict(list)
    for entry in read.instances:
        if entry.category in kinds:
            objects[entry.picture.id].append(entry)
    rows: list[tuple[Picture, Row]] = []
    empty: list[tuple[Picture, Row]] = []
    for picture in read.pictures:
        here = objects[picture.id]
        if any(entry.is_crowd for entry in here):
            dropped.append(_drop(split, f"{split}-{picture.id}", "crowd", "it shows a crowd, which no list can name"))
        elif len(here) > choice.most:
            reason = f"it shows {len(here)} objects, more than {choice.most}"
            dropped.append(_drop(split, f"{split}-{picture.id}", "too many objects", reason))
        else:
            (rows if here else empty).append((picture, as_row(picture, here, split=split, kinds=kinds)))
    room = len(empty) if choice.negatives == 1 else int(len(rows) * choice.negatives / (1 - choice.negatives))
    kept = set(random.Random(f"{split} {choice.seed}").sample(range(len(empty)), min(room, len(empty))))
    for number, (_, row) in enumerate(empty):
        if number not in kept:
            dropped.append(_drop(split, row.id, "nothing to list", "enough others have nothing to list"))
    order = {picture.id: number for number, picture in enumerate(read.pictures)}
    chosen = rows + [entry for number, entry in enumerate(empty) if number in kept]
    return sorted(chosen, key=lambda entry: order[entry[0].id]), dropped


def build(out: Path, source: Source, choice: Choice) -> dict[str, Any]:
    """Write the data set to `out`, if it is not there; its manifest."""
    started = time.monotonic()
    config = {"splits": source.splits, "limit": source.limit, "categories": source.categories, **asdict(choice)}
    identity = {"kind": dataset.KIND, "task": NAME, "sha256": source.have_annotations(), **config}
    if manifest.is_claimed(out, identity, beside=files.BESIDE) and manifest.exists(out):
        return manifest.read(out, kind=dataset.KIND)
    read = {split: source.read(split) for split in source.splits}
    manifest.claim(out, identity, beside=files.BESIDE)
    with only_writer(out, doing="building"):
        splits: dict[str, list[Row]] = {}
        dropped: list[dict[str, Any]] = []
        for split, content in read.items():
            rows, left_out = rows_of(content, split, kinds=source.asked(content), choice=choice)
            rows = rows[: source.limit]
            failed = source.have_pictures([picture for picture, _ in rows], split)
            left_out += [
                _drop(split, row.id, "no picture", failed[row.images[0]]) for _, row in rows if row.images[0] in failed
            ]
            splits[files.SPLITS[split]] = [row for _, row in rows if row.images[0] not in failed]
            dropped += left_out
            if rows and not splits[files.SPLITS[split]]:
                raise UserError(f"{out}: none of {len(rows)} pictures of {split} can be had: {dropped[-1]['reason']}")
        if out.resolve() != source.folder.resolve():
            bring({out / row.images[0]: source.folder / row.images[0] for rows in splits.values() for row in rows})
        jsonl.write(out / DROPPED, dropped)
        dataset.save(
            out,
            splits,
            source={"name": "COCO 2014", "sha256": identity["sha256"]},
            config=config,
            seconds=time.monotonic() - started,
            seeds={"negatives": choice.seed},
            dropped_by_kind=counted(dropped),
        )
    return manifest.read(out, kind=dataset.KIND)


def _drop(split: str, id: str, kind: str, reason: str) -> dict[str, Any]:
    return {"split": split, "id": id, "kind": kind, "reason": reason}
