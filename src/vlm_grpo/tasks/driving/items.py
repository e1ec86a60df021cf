"""DrivingVQA's own records: a JSON object of items by id, as `train.json` and `test.json` are.

An item has `questions` (a text or a list of one or two), `possible_answers` ({letter: text}), `true_answers` (letters),
`has_multiple_questions`, `img_filename`, `img_size` [width, height]; for training `explanation`,
`interleaved_explanation` and `relevant_entities`, a list of objects with one key each, {name: [x, y, width, height]} or
{name: [[x, y, width, height], ...]}; and perhaps `exam_type`. Other columns are passed over.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from vlm_grpo.adapters.base import Size
from vlm_grpo.errors import UserError
from vlm_grpo.store import manifest
from vlm_grpo.tasks.answers.box import Box
from vlm_grpo.tasks.rec.example import Unusable, box_of_sides


@dataclass(frozen=True, kw_only=True)
class Item:
    """One item as its source states it.

    Attributes:
        split, id: where it belongs, and what it is called there.
        picture, place: the file, and its name in the data set.
        size: (width, height) of the picture as the source states it, None where it does not.
        questions: one or two.
        options: text by letter, in order; `right` are letters of it.
        entities: (label, box by its edges in pixels), None where nobody annotated any.
        explanation, interleaved: in words, and with boxes printed in it; None where there is none.
        exam: whose licence it is for.
        columns: what else its row should hold.
    """

    split: str
    id: str
    picture: Path
    place: str
    size: Size | None = None
    questions: tuple[str, ...]
    options: Mapping[str, str]
    right: tuple[str, ...]
    entities: Sequence[tuple[str, Box]] | None = None
    explanation: str | None = None
    interleaved: str | None = None
    exam: str | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Items:
    """What was read of a source: `files` by name, its items, and the records that are none as `{split, id, reason}`."""

    name: str
    files: Mapping[str, Path]
    items: list[Item]
    dropped: list[dict[str, Any]]
    revision: str | None = None


def read(
    path: Path, split: str, *, pictures: Path, limit: int | None = None
) -> tuple[list[Item], list[dict[str, Any]]]:
    """The items of the file `path`, whose pictures lie below `pictures`, and the records that are none."""
    items, dropped = [], []
    for number, (name, record) in enumerate(records(path)):
        if limit is not None and number == limit:
            break
        id = f"{split}-{name}"
        try:
            items.append(item(record, split=split, id=id, pictures=pictures))
        except Unusable as reason:
            dropped.append({"split": split, "id": id, "reason": f"{path.name} item {name!r}: {reason}"})
    return items, dropped


def records(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Id and record of each item of the file `path`."""
    for name, record in manifest.read_json(path, is_ours=False).items():
        if not isinstance(record, Mapping):
            raise UserError(f"{path} item {name!r}: {record!r} is no object; give DrivingVQA's own train.json")
        yield name, record


def item(record: Mapping[str, Any], *, split: str, id: str, pictures: Path) -> Item:
    """`record` as an item; `Unusable` where it is none."""
    place = _place(record.get("img_filename"))
    return Item(
        split=split,
        id=id,
        picture=pictures / place,
        place=place if place.startswith("images/") else f"images/{place}",
        size=_size(record.get("img_size")),
        questions=_questions(record),
        options=_options(record.get("possible_answers")),
        right=_letters(record.get("true_answers")),
        entities=entities_of(record),
        explanation=_text(record.get("explanation")),
        interleaved=_text(record.get("interleaved_explanation")),
        exam=_text(record.get("exam_type")),
    )


def entities_of(record: Mapping[str, Any]) -> list[tuple[str, Box]] | None:
    """(label, box by its edges) of the record's entities, in order; None where it has no such column."""
    stated = record.get("relevant_entities", record.get("entities"))
    if stated is None:
        return None
    if not isinstance(stated, list):
        raise Unusable(f"its entities {stated!r} are no list")
    entities = []
    for entity in stated:
        if not isinstance(entity, Mapping) or len(entity) != 1:
            raise Unusable(f"its entity {entity!r} is no object with one key")
        (label, boxes), *_ = entity.items()
        if not label.strip():
            raise Unusable("one of its entities has no name")
        nested = isinstance(boxes, list) and bool(boxes) and isinstance(boxes[0], list)
        entities += [(" ".join(label.split()), box_of_sides(box)) for box in (boxes if nested else [boxes])]
    return entities


def _place(name: Any) -> str:
    path = PurePosixPath(name) if isinstance(name, str) and name else None
    if path is None or path.is_absolute() or ".." in path.parts:
        raise Unusable(f"img_filename {name!r} is no path below the folder of pictures")
    return str(path)


def _size(size: Any) -> Size | None:
    if size is None:
        return None
    if not isinstance(size, list) or len(size) != 2 or not all(isinstance(side, int) and side > 0 for side in size):
        raise Unusable(f"img_size {size!r} is no [width, height]")
    return size[0], size[1]


def _questions(record: Mapping[str, Any]) -> tuple[str, ...]:
    stated = record.get("questions")
    questions = [stated] if isinstance(stated, str) else stated
    if not isinstance(questions, list) or not all(_text(question) for question in questions):
        raise Unusable(f"its questions {stated!r} are neither a text nor a list of them")
    expected = 2 if record.get("has_multiple_questions") else 1
    if len(questions) != expected:
        raise Unusable(f"it has {len(questions)} questions where has_multiple_questions means {expected}")
    return tuple(" ".join(question.split()) for question in questions)


def _options(stated: Any) -> dict[str, str]:
    if not isinstance(stated, Mapping) or len(stated) < 2:
        raise Unusable(f"possible_answers {stated!r} is no object of at least two options")
    for letter, text in stated.items():
        if not (len(letter) == 1 and letter.isalpha() and letter.isupper()) or not _text(text):
            raise Unusable(f"its option {letter!r}: {text!r} is no letter with a text")
    return {letter: " ".join(text.split()) for letter, text in sorted(stated.items())}


def _letters(stated: Any) -> tuple[str, ...]:
    if not isinstance(stated, list) or not stated or not all(isinstance(letter, str) for letter in stated):
        raise Unusable(f"true_answers {stated!r} is no list of letters")
    return tuple(dict.fromkeys(stated))


def _text(value: Any) -> str | None:
    return value.strip() if isinstance(value, str) and value.strip() else None
