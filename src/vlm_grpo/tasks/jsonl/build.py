"""Build a data set of own records: vet every record and picture, part them, link the pictures, write rows and manifest.

What cannot be used is listed whole before anything is written. A data set is known by its content (records, names and
sizes of pictures, options): the same content is built once, and the folder of another is refused.
"""

import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlm_grpo.errors import UserError, tell
from vlm_grpo.rows import dataset
from vlm_grpo.rows.links import bring
from vlm_grpo.rows.pictures import faulty
from vlm_grpo.rows.records import Row
from vlm_grpo.store import jsonl, manifest
from vlm_grpo.store.lock import only_writer
from vlm_grpo.store.provenance import file_hash, text_hash
from vlm_grpo.tasks.answers.base import AnswerKind
from vlm_grpo.tasks.jsonl import records
from vlm_grpo.tasks.jsonl.columns import alike
from vlm_grpo.tasks.jsonl.records import Fault, Record
from vlm_grpo.tasks.jsonl.sources import Source
from vlm_grpo.tasks.jsonl.split import held_out
from vlm_grpo.tasks.jsonl.task import FILE, MARKER, METHOD, NAME

DROPPED = "dropped.jsonl"
SHOWN = 20
TRAIN, VALIDATION = "train", "validation"
FORM = 1
"""Raised whenever the same records would make other rows."""


@dataclass(frozen=True)
class Options:
    """How to part the records, and how many may be left out: a share of them."""

    val_split_ratio: float = 0.0
    split_seed: int = 42
    max_dropped: float = 0.0


@dataclass(frozen=True)
class Own:
    """The records of all sources, in order, and the faults of those that cannot be used."""

    sources: Sequence[Source]
    records: list[Record]
    faults: list[Fault]

    @property
    def total(self) -> int:
        """Records, of either kind."""
        return len(self.records) + len(self.faults)

    def pictures(self) -> dict[Path, str]:
        """Every picture with its place in the data set: below `images/`, a folder for each of the sources' folders."""
        folders = {folder: n for n, folder in enumerate(dict.fromkeys(source.folder for source in self.sources))}
        return {
            picture: _place(picture, record.source.folder, number=folders[record.source.folder])
            for record in self.records
            for picture in record.pictures
        }


def read(sources: Sequence[Source], *, kind: AnswerKind | None = None) -> Own:
    """The records of `sources`, their answers of `kind` or as each says; pictures are not looked at."""
    kept: list[Record] = []
    faults: list[Fault] = []
    for source in sources:
        good, bad = records.read(source, kind=kind)
        kept += good
        faults += bad
    return Own(sources, kept, faults)


def without_pictures_that_fail(own: Own) -> Own:
    """`own` with the records whose pictures are missing or damaged among its faults; decodes every picture."""
    failing = faulty(picture for record in own.records for picture in record.pictures)
    kept, faults = [], list(own.faults)
    for record in own.records:
        reasons = [f"picture {picture} {failing[picture]}" for picture in record.pictures if picture in failing]
        if reasons:
            faults.append(Fault(record.source.file, record.line, "; ".join(reasons)))
        else:
            kept.append(record)
    order = {source.file: n for n, source in enumerate(own.sources)}
    return Own(own.sources, kept, sorted(faults, key=lambda fault: (order[fault.file], fault.line)))


def content(own: Own, options: Options) -> str:
    """SHA-256 of all that decides the rows: file contents and methods, pictures by place and size, options.

    Pictures themselves are not read: one that changes in its bytes and not in its size is not noticed.
    """
    sizes = {place: path.stat().st_size if path.is_file() else None for path, place in own.pictures().items()}
    pictures = hashlib.sha256(json.dumps(sorted(sizes.items())).encode()).hexdigest()
    files = [(file_hash(source.file), source.method) for source in own.sources]
    return text_hash(json.dumps([FORM, files, pictures, vars(options)]))


def build(out: Path, own: Own, options: Options) -> bool:
    """Write the data set of `own` to `out`; False where it is there already.

    `UserError`, which says where all are listed, when more than `max_dropped` of the records cannot be used.
    """
    started = time.monotonic()
    identity = {"kind": dataset.KIND, "task": NAME, "content": content(own, options)}
    if manifest.is_claimed(out, identity) and manifest.exists(out):
        return False
    own = without_pictures_that_fail(own)
    check_dropped(own, options, listed=out.with_name(f"{out.name}.{DROPPED}"))
    splits = part(rows(own), own, options)
    manifest.claim(out, identity)
    with only_writer(out, doing="building"):
        dropped = [_entry(fault) for fault in own.faults]
        pictures = bring({out / place: path for path, place in own.pictures().items()})
        jsonl.write(out / DROPPED, dropped)
        dataset.save(
            out,
            splits,
            source={"name": "own records", "sha256": {str(s.file): file_hash(s.file) for s in own.sources}},
            config={
                "files": [{"file": str(s.file), "images": s.folder, "reward_method": s.method} for s in own.sources],
                **vars(options),
            },
            seconds=time.monotonic() - started,
            dropped=dropped,
            seeds={"split_seed": options.split_seed},
            pictures=pictures,
            content=identity["content"],
        )
    return True


def check_dropped(own: Own, options: Options, *, listed: Path) -> None:
    """`UserError` where too many records cannot be used; the file `listed` then has all of them."""
    listed.unlink(missing_ok=True)
    if own.records and len(own.faults) <= options.max_dropped * own.total:
        return
    tell_faults(own.faults)
    listed.parent.mkdir(parents=True, exist_ok=True)
    jsonl.write(listed, map(_entry, own.faults))
    raise UserError(
        f"{len(own.faults)} of {own.total} records cannot be used, the first is {own.faults[0]}; all are listed in "
        f"{listed}: mend them, or leave out as many with --max-dropped"
    )


def tell_faults(faults: Sequence[Fault]) -> None:
    """Say on stderr what is wrong with records, with the first `SHOWN` of them."""
    for fault in faults[:SHOWN]:
        tell(str(fault))
    if len(faults) > SHOWN:
        tell(f"and {len(faults) - SHOWN} more")


def rows(own: Own) -> list[Row]:
    """The records as rows, in order.

    Ids are those of the records, behind the file's name where there are several files; one that is missing is the line,
    and one that occurs again has its line added, so that all differ.
    """
    names = _file_names(own.sources)
    places = own.pictures()
    used: Counter[str] = Counter()
    made = []
    for record, others in zip(own.records, alike([record.others for record in own.records]), strict=True):
        own_id = record.id if record.id is not None else f"line-{record.line}"
        row_id = own_id if len(own.sources) == 1 else f"{names[record.source]}-{own_id}"
        used[row_id] += 1
        made.append(
            Row(
                id=row_id if used[row_id] == 1 else f"{row_id}-line-{record.line}",
                images=tuple(places[picture] for picture in record.pictures),
                problem=record.problem,
                solution=record.solution,
                task=NAME,
                meta={METHOD: record.method, FILE: names[record.source], **others},
            )
        )
    return made


def part(made: list[Row], own: Own, options: Options) -> dict[str, list[Row]]:
    """The rows by split: all to train on, or a share of them held out to validate."""
    if options.val_split_ratio == 0:
        return {TRAIN: made}
    shown = [[picture.resolve() for picture in record.pictures] for record in own.records]
    validation = held_out(shown, ratio=options.val_split_ratio, seed=options.split_seed)
    return {
        TRAIN: [row for number, row in enumerate(made) if number not in validation],
        VALIDATION: [row for number, row in enumerate(made) if number in validation],
    }


def summary(made: Sequence[Row]) -> str:
    """What `made` are, in one line: rows, pictures, where they stand, how answers are scored."""
    shown = Counter(len(row.images) for row in made)
    counts = ", ".join(
        f"{rows} with {images or 'no'} picture{'s' * (images > 1)}" for images, rows in sorted(shown.items())
    )
    marked = sum(MARKER in row.problem for row in made)
    scored = ", ".join(f"{method} {count}" for method, count in Counter(row.meta[METHOD] for row in made).items())
    pictures = len({image for row in made for image in row.images})
    return f"{len(made)} rows ({counts}; {marked} place theirs in the text), {pictures} pictures; scored by {scored}"


def _entry(fault: Fault) -> dict[str, Any]:
    return {"split": None, "id": f"{fault.file} line {fault.line}", "reason": fault.reason}


def _file_names(sources: Sequence[Source]) -> Mapping[Source, str]:
    """A name for each source: its file's, with its position where another's is the same."""
    counts = Counter(source.file.stem for source in sources)
    return {
        s: s.file.stem if counts[s.file.stem] == 1 else f"{s.file.stem}-{n}" for n, s in enumerate(sources, start=1)
    }


def _place(picture: Path, folder: str, *, number: int) -> str:
    """Where `picture` lies in the data set: as below its `folder`, or by a hash of its path where it lies elsewhere."""
    relative = os.path.relpath(picture, folder)
    if Path(relative).parts[0] == "..":
        return f"images/elsewhere/{text_hash(os.path.normpath(picture.absolute()))[:12]}/{picture.name}"
    return f"images/{number}/{relative}"
