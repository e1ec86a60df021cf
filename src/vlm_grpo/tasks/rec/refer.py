"""RefCOCO, RefCOCO+ and RefCOCOg as REFER publishes them: pickles of references, and COCO's annotations of their boxes.

`refs(unc).p` (RefCOCO, RefCOCO+: train, val, testA, testB) and `refs(umd).p` (RefCOCOg: train, val, test) are lists of
`{ref_id, ann_id, image_id, split, sentences: [{sent_id, sent}, ...]}`; `instances.json` beside them has the pictures,
boxes and categories that they name. A pickle may run code where it is opened. These are opened by a reader that knows
plain values only, and refuses every other.
"""

import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from vlm_grpo.adapters.base import Size
from vlm_grpo.errors import UserError
from vlm_grpo.rows.records import first_fault
from vlm_grpo.store import manifest
from vlm_grpo.tasks.rec.example import Example, Unusable, box_of_sides
from vlm_grpo.tasks.rec.source import Source, dropped
from vlm_grpo.tasks.rec.task import problem


class Sentence(BaseModel):
    """One expression."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sent_id: int
    sent: str


class Reference(BaseModel):
    """An object of a picture, and the expressions that refer to it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    ref_id: int
    ann_id: int
    image_id: int
    split: str
    sentences: tuple[Sentence, ...]


class _PlainValues(pickle.Unpickler):
    """Knows lists, dictionaries, numbers and texts; whatever would have to be imported is refused."""

    def find_class(self, module: str, name: str) -> Any:
        raise UserError(f"it would run {module}.{name}, and references are plain values")

    def persistent_load(self, pid: Any) -> Any:
        raise UserError("it names objects outside of itself, and references are plain values")


def unpickle(path: Path) -> Any:
    """The plain values that the pickle `path` holds; `UserError` where it holds others, or is damaged."""
    if not path.is_file():
        raise UserError(f"{path} is missing; give a file of references such as refs(unc).p")
    try:
        with path.open("rb") as file:
            return _PlainValues(file, encoding="utf-8").load()
    except UserError as error:
        raise UserError(f"{path} is refused: {error}") from None
    except Exception as error:  # what a damaged stream raises has no bounds
        raise UserError(f"{path} is no whole pickle ({' '.join(str(error).split())}); fetch it again") from None


@dataclass(frozen=True)
class _Coco:
    """What `instances.json` knows by id: names and sizes of pictures, boxes, names of categories."""

    images: Mapping[int, tuple[str, Size]]
    annotations: Mapping[int, Mapping[str, Any]]
    categories: Mapping[int, str]


def read(
    files: Mapping[str, Path], *, instances: Path | None, images: Path, splits: Sequence[str] | None, limit: int | None
) -> Source:
    """The examples of `files`, by the name of their set; one for each expression, in the files' order.

    Without `instances`, each file has an `instances.json` beside it. Of each set and split the first `limit`.
    """
    examples: list[Example] = []
    left_out = []
    hashed: dict[str, Path] = {}
    for name, file in files.items():
        annotated = instances or file.with_name("instances.json")
        hashed |= {name: file, f"{name} instances": annotated}
        coco = _coco(annotated)
        counts: dict[str, int] = {}
        for reference in references(file):
            if splits is not None and reference.split not in splits:
                continue
            for sentence in reference.sentences:
                counts[reference.split] = counts.get(reference.split, 0) + 1
                if limit is not None and counts[reference.split] > limit:
                    break
                try:
                    examples.append(_example(name, reference, sentence, coco, images))
                except Unusable as reason:
                    left_out.append(dropped(reference.split, _id(name, sentence), str(reason)))
    if splits is not None and (absent := set(splits) - {e.split for e in examples} - {d["split"] for d in left_out}):
        raise UserError(
            f"no reference is of split {min(absent)!r}; RefCOCO has train, val, testA, testB, RefCOCOg test"
        )
    return Source.of(
        "REFER", hashed, examples, left_out, config={"images": str(images), "splits": splits, "limit": limit}
    )


def references(path: Path) -> Iterator[Reference]:
    """The references of one file, in order; `UserError` names the first that is none."""
    values = unpickle(path)
    if not isinstance(values, list):
        raise UserError(f"{path} holds {type(values).__name__}, expected a list of references")
    for number, value in enumerate(values):
        try:
            yield Reference.model_validate(value)
        except ValidationError as error:
            raise UserError(f"{path} reference {number}: {first_fault(error)}") from None


def _coco(path: Path) -> _Coco:
    stored = manifest.read_json(path, is_ours=False)
    try:
        return _Coco(
            images={i["id"]: (i["file_name"], (i["width"], i["height"])) for i in stored["images"]},
            annotations={annotation["id"]: annotation for annotation in stored["annotations"]},
            categories={category["id"]: category["name"] for category in stored["categories"]},
        )
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{path} is no file of COCO's instances ({error}); give the instances.json of the references"
        ) from None


def _example(name: str, reference: Reference, sentence: Sentence, coco: _Coco, images: Path) -> Example:
    annotation, image = coco.annotations.get(reference.ann_id), coco.images.get(reference.image_id)
    if annotation is None or image is None:
        raise Unusable(f"annotation {reference.ann_id} of image {reference.image_id} is not among the instances")
    if annotation.get("image_id") != reference.image_id:
        raise Unusable(
            f"annotation {reference.ann_id} is of image {annotation.get('image_id')}, not {reference.image_id}"
        )
    file_name, size = image
    if Path(file_name).name != file_name:
        raise Unusable(f"picture {file_name!r} is no plain file name")
    expression = " ".join(sentence.sent.split())
    if not expression:
        raise Unusable("the expression is empty")
    return Example(
        split=reference.split,
        id=_id(name, sentence),
        picture=images / file_name,
        place=f"images/{file_name}",
        expression=expression,
        problem=problem(expression),
        box=box_of_sides(annotation.get("bbox")),
        size=size,
        columns={"set": name, "category": coco.categories.get(annotation.get("category_id", -1))},
    )


def _id(name: str, sentence: Sentence) -> str:
    return f"{name}-{sentence.sent_id}"
