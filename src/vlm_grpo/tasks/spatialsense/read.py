"""SpatialSense's own annotations, and what they say of its photographs.

`annotations.json` is a list of photographs with `url`, `width`, `height`, `split` and `annotations`: `_id`,
`predicate`, `label` and two things, each with `name` and `bbox` [y0, y1, x0, x1]. A photograph from Flickr has an
address as `url` and lies in images/flickr, others in images/nyu, under the last part of it.

The study did not heed the official splits: of each predicate's rows, in the file's order, it took the first 80 % for
training and half of the rest each for validation and test, so that most photographs stand in several. It also pasted
each on a white canvas of at least 300 pixels' width and 40 more than its height.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError

from vlm_grpo.errors import UserError
from vlm_grpo.rows.images import open_image, upright_size
from vlm_grpo.rows.links import bring
from vlm_grpo.rows.pictures import faulty
from vlm_grpo.rows.records import first_fault
from vlm_grpo.store import jsonl
from vlm_grpo.store.provenance import file_hash
from vlm_grpo.tasks.spatialsense.task import NAME
from vlm_grpo.tasks.statements.build import SPLITS, Options, Source, chosen
from vlm_grpo.tasks.statements.statement import Box, Shown, Statement

ANNOTATIONS = "annotations.json"
TRAIN_SHARE, VALIDATION_SHARE = 0.8, 0.5
"""The study's: of a predicate's rows, and of what is left of them."""
STRIP, NARROWEST = 40, 300
"""Pixels of the study's canvas: more height, least width."""

Side = Annotated[float, Field(allow_inf_nan=False)]


class Thing(BaseModel):
    """A thing of a photograph."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(min_length=1)
    bbox: tuple[Side, Side, Side, Side]


class Relation(BaseModel):
    """A relation that holds between two things, or not."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(alias="_id", min_length=1)
    predicate: str = Field(min_length=1)
    label: StrictBool
    subject: Thing
    object: Thing


class Photograph(BaseModel):
    """A photograph with its relations."""

    model_config = ConfigDict(frozen=True)

    url: str = Field(min_length=1)
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    split: Literal["train", "valid", "test"]
    annotations: tuple[Relation, ...]

    @property
    def place(self) -> str:
        """Where it lies, relative to the data set's folder."""
        return f"images/{'flickr' if self.url.startswith('http') else 'nyu'}/{self.url.rsplit('/', 1)[-1]}"


def read(data: Path, *, options: Options) -> Source:
    """The statements of SpatialSense's folder `data`, which holds the annotations and the folder `images`."""
    path, as_study = data / ANNOTATIONS, options.preparation == "study"
    photographs = [_photograph(path, *one) for one in enumerate(jsonl.read_list(path))]
    known = sorted({relation.predicate for photograph in photographs for relation in photograph.annotations})
    wanted = chosen(options.predicates, known)
    relations = [(p, r) for p in photographs for r in p.annotations if r.predicate in wanted]
    numbered = _numbered(relations, options)
    faults = faulty(data / photograph.place for _, _, photograph, _ in numbered)
    usable = {p.place for _, _, p, _ in numbered if data / p.place not in faults}
    contents = {place: file_hash(data / place) for place in usable}
    statements: list[Statement] = []
    dropped: list[dict[str, Any]] = []
    seen: set[str] = set()
    for split, number, photograph, relation in numbered:
        picture = data / photograph.place
        fault = f"picture {picture} {faults[picture]}" if picture in faults else None
        if relation.id in seen:
            fault = f"_id {relation.id!r} occurs twice in {path}"
        seen.add(relation.id)
        if fault is not None:
            dropped.append({"split": split, "id": relation.id, "reason": fault})
        else:
            name = f"images/{split}/{number:05d}.jpg" if as_study else photograph.place
            save = partial(_on_canvas, picture, photograph) if as_study else partial(_link, picture)
            shown = Shown(name, contents[photograph.place], photograph.place, save)
            statements.append(_statement(photograph, relation, split, shown, upright_size(picture)))
    return Source(
        name="SpatialSense",
        task=NAME,
        hashes={path.name: file_hash(path)},
        statements=statements,
        dropped=dropped,
        config={"splits": "of the study" if as_study else "official"},
        told={"predicates": list(wanted)},
    )


Numbered = tuple[str, int, Photograph, Relation]
"""Split, number in it, photograph and relation."""


def _numbered(relations: Sequence[tuple[Photograph, Relation]], options: Options) -> list[Numbered]:
    if options.preparation == "study":
        by_split = _as_the_study_parted(relations)
    else:
        by_split = {ours: [one for one in relations if one[0].split == of_files] for of_files, ours in SPLITS.items()}
    return [
        (split, number, *one)
        for split in SPLITS.values()
        for number, one in enumerate(by_split[split][: options.limit])
    ]


def _as_the_study_parted(
    relations: Sequence[tuple[Photograph, Relation]],
) -> Mapping[str, list[tuple[Photograph, Relation]]]:
    by_predicate: dict[str, list[tuple[Photograph, Relation]]] = defaultdict(list)
    for one in relations:
        by_predicate[one[1].predicate].append(one)
    parts: dict[str, list[tuple[Photograph, Relation]]] = {split: [] for split in SPLITS.values()}
    for rows in by_predicate.values():
        first = int(len(rows) * TRAIN_SHARE)
        second = first + int((len(rows) - first) * VALIDATION_SHARE)
        for split, part in zip(parts, (rows[:first], rows[first:second], rows[second:]), strict=True):
            parts[split] += part
    return parts


def _photograph(path: Path, number: int, record: dict[str, Any]) -> Photograph:
    try:
        return Photograph.model_validate(record)
    except ValidationError as error:
        raise UserError(f"{path} row {number}: {first_fault(error)}; mend the file or fetch it again") from None


def _statement(
    photograph: Photograph, relation: Relation, split: str, shown: Shown, size: tuple[int, int]
) -> Statement:
    is_as_annotated = size == (photograph.width, photograph.height)
    return Statement(
        id=relation.id,
        split=split,
        subject=relation.subject.name,
        relation=relation.predicate,
        object=relation.object.name,
        holds=relation.label,
        shown=shown,
        subject_box=_box(relation.subject) if is_as_annotated else None,
        object_box=_box(relation.object) if is_as_annotated else None,
        more={"official_split": photograph.split},
    )


def _box(thing: Thing) -> Box | None:
    """Its box; None where it has no area."""
    top, bottom, left, right = thing.bbox
    return [left, top, right, bottom] if right > left and bottom > top else None


def _link(picture: Path, place: Path) -> None:
    bring({place: picture})


def _on_canvas(picture: Path, photograph: Photograph, place: Path) -> None:
    """As the study saved it: the white strip stays below."""
    size = (max(photograph.width, NARROWEST), photograph.height + STRIP)
    canvas = Image.new("RGB", size, "white")
    canvas.paste(open_image(picture))
    canvas.save(place)
