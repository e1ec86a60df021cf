"""From a data set to its vision-biased copy on disk; the command line is `bias.vision`.

Every row gets a picture of its own, so that a picture with captions of both labels can say True beside one and False
beside the other. Every picture is decoded and written as PNG, cued or not: lossless, so that the cue is the only
difference. On the fly, the source's pictures are linked instead and `datasets.pictures` puts the cue on them, with the
same pixels.

The biased splits carry the cue on a share of the rows, always on the side of the label. Every other split is there
three times: clean, with the cue on the side of every row's label (`test_cued`) and against it (`test_counter`). Rows
keep their ids, so the three pair up.
"""

import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from vlm_grpo.bias.cases import truth_of
from vlm_grpo.bias.marks import GROUP, SHORTCUT, marks
from vlm_grpo.bias.vision.pictures import Picture, write
from vlm_grpo.errors import UserError
from vlm_grpo.rows import dataset
from vlm_grpo.rows.cues import Cue
from vlm_grpo.rows.links import bring
from vlm_grpo.rows.pictures import CUE, SOURCE_IMAGES, check_files
from vlm_grpo.rows.records import Row
from vlm_grpo.store import manifest
from vlm_grpo.store.lock import only_writer

CUED, COUNTER = "cued", "counter"
BIAS = "vision"


@dataclass(frozen=True)
class CuedRow:
    """A row of the new data set, and its pictures."""

    row: Row
    pictures: tuple[Picture, ...]


def build(
    data: Path, out: Path, cue: Cue, *, splits: tuple[str, ...], is_on_the_fly: bool = False, workers: int = 1
) -> bool:
    """Write the copy of the data set `data` to `out`, with `cue` in the training `splits`; False if it is there.

    `workers` processes write pictures; how many makes no difference to the result. A copy that was cut off goes on.
    """
    started = time.monotonic()
    source = manifest.read(data, kind=dataset.KIND)
    if out.resolve() == data.resolve() or data.resolve() in out.resolve().parents:
        raise UserError(f"--out {out} lies in the data set {data}, which stays as it is; choose another folder")
    planned = plan(data, out, cue, splits=splits, is_on_the_fly=is_on_the_fly)
    identity = {"kind": dataset.KIND, "bias": BIAS, "fingerprints": source["fingerprints"], "splits": sorted(splits)}
    manifest.claim(out, identity | asdict(cue) | {"on_the_fly": is_on_the_fly})
    with only_writer(out, doing="building"):
        pictures = [picture for rows in planned.values() for item in rows for picture in item.pictures]
        if manifest.exists(out) and all(picture.target.is_file() for picture in pictures):
            return False
        more: dict[str, Any] = {}
        if is_on_the_fly:
            more = {CUE: asdict(cue), "pictures": bring({p.target: p.source for p in pictures})}
        else:
            write(pictures, cue, workers=workers)
        rows = {split: [item.row for item in items] for split, items in planned.items()}
        dataset.save(
            out,
            rows,
            source={"name": str(data), "fingerprints": source["fingerprints"], "source": source["inputs"]["source"]},
            config={"bias": BIAS, "splits": sorted(splits), "on_the_fly": is_on_the_fly, **asdict(cue)},
            seconds=time.monotonic() - started,
            seeds={"cue": cue.seed},
            bias_groups={split: dict(Counter(row.meta[GROUP] for row in items)) for split, items in rows.items()},
            shared_source_images=source["shared_images"],
            **more,
        )
    return True


def plan(
    data: Path, out: Path, cue: Cue, *, splits: tuple[str, ...], is_on_the_fly: bool = False
) -> dict[str, list[CuedRow]]:
    """Every split of the copy, with what each cue says; nothing is written.

    `UserError` for a split that is not there, a row without a readable label or picture, and a source that is biased.
    """
    stored = manifest.read(data, kind=dataset.KIND)
    for split in splits:
        if split not in stored["counts"]:
            raise UserError(f"{data} has no split {split!r}; it has {', '.join(stored['counts'])}")
    planned: dict[str, list[CuedRow]] = {}
    for split in stored["counts"]:
        rows = dataset.load(data, split)
        labels = [_label(row, where=f"{data} split {split!r} row {row.id}") for row in rows]
        for name, says in _sides(split, rows, labels, cue, is_biased=split in splits).items():
            if name != split and name in stored["counts"]:
                raise UserError(f"{data}: split {name!r} is what a copy of {split!r} is called; rename it")
            planned[name] = [
                _planned(data, out, name, row, label, said, is_on_the_fly)
                for row, label, said in zip(rows, labels, says, strict=True)
            ]
    check_files(picture.source for items in planned.values() for item in items for picture in item.pictures)
    return planned


def _sides(
    split: str, rows: list[Row], labels: list[bool], cue: Cue, *, is_biased: bool
) -> dict[str, list[bool | None]]:
    """The splits that `split` becomes, and what the cue says of each of its rows there."""
    if is_biased:
        return {split: [cue.says(row.images[0], label) for row, label in zip(rows, labels, strict=True)]}
    return {
        split: [None] * len(rows),
        f"{split}_{CUED}": list(labels),
        f"{split}_{COUNTER}": [not label for label in labels],
    }


def _label(row: Row, *, where: str) -> bool:
    if SHORTCUT in row.meta:
        raise UserError(f"{where} is marked by another bias; start from the data set that it was made of")
    if not row.images:
        raise UserError(f"{where} has no picture to put a cue on; drop the row")
    return truth_of(row, where=where)


def _planned(
    data: Path, out: Path, split: str, row: Row, label: bool, says: bool | None, is_on_the_fly: bool
) -> CuedRow:
    names = [
        f"images/{split}/{quote(row.id, safe='')}-{number}{Path(image).suffix if is_on_the_fly else '.png'}"
        for number, image in enumerate(row.images)
    ]
    columns: dict[str, Any] = {**row.meta, SOURCE_IMAGES: list(row.images), **marks(label, says)}
    if "image_path" in columns:
        columns["image_path"] = names[0]
    return CuedRow(
        row=row.model_copy(update={"images": tuple(names), "meta": columns}),
        pictures=tuple(
            Picture(source=data / image, image_id=image, target=out / name, says=says)
            for image, name in zip(row.images, names, strict=True)
        ),
    )
