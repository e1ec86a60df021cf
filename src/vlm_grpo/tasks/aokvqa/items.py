"""A-OKVQA's own records: JSON lists of questions about COCO 2017's pictures, and explanations with boxes for them.

A question has `question_id`, `image_id`, `question`, `choices`, `correct_choice_idx`, `direct_answers` (ten people's
words), `difficult_direct_answer` and `rationales`. Choices get the letters A to D in their order; one is right. The
test split has no answers and is not built. The first rationale is the explanation, unless a file in DrivingVQA's own
form (`vlm_grpo.tasks.driving.items`) has one with boxes for the same picture and question.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from vlm_grpo.errors import UserError
from vlm_grpo.store import jsonl
from vlm_grpo.tasks.driving.items import Item, Items, entities_of, records
from vlm_grpo.tasks.rec.example import Unusable

FILES = {"train": "aokvqa_v1p0_train.json", "validation": "aokvqa_v1p0_val.json"}
SPLITS = tuple(FILES)
COCO = {"train": "train2017", "validation": "val2017"}
Grounded = dict[tuple[str, str], Mapping[str, Any]]
"""Records with explanations and boxes, by the picture's file name and the question."""


def read(
    folder: Path, coco: Path, splits: tuple[str, ...], *, grounded: Mapping[str, Path], limit: int | None = None
) -> Items:
    """The questions in `folder` about pictures below `coco`; `grounded` are files of explanations by split."""
    files = {split: folder / FILES[split] for split in splits}
    items, dropped = [], []
    for split, path in files.items():
        explained = by_question(grounded[split]) if split in grounded else {}
        for number, record in enumerate(jsonl.read_list(path)[:limit]):
            id = f"{split}-{record.get('question_id', number)}"
            try:
                item = item_of(record, split=split, id=id, coco=coco)
                items.append(with_explanation(item, explained))
            except Unusable as reason:
                dropped.append({"split": split, "id": id, "reason": f"{path.name} record {number}: {reason}"})
        if explained and not any(item.interleaved for item in items if item.split == split):
            raise UserError(
                f"{grounded[split]} has no explanation of any question in {path}; give the file of its split"
            )
    named = {f"grounded {split}": path for split, path in grounded.items()}
    return Items("A-OKVQA's own files", {**files, **named}, items, dropped)


def item_of(record: Mapping[str, Any], *, split: str, id: str, coco: Path) -> Item:
    """`record` as an item; `Unusable` where it is none."""
    image, question, choices = record.get("image_id"), record.get("question"), record.get("choices")
    if not isinstance(image, int) or isinstance(image, bool):
        raise Unusable(f"image_id {image!r} is no number of a picture")
    if not isinstance(question, str) or not question.strip():
        raise Unusable("it has no question")
    if not isinstance(choices, list) or len(choices) < 2 or not all(isinstance(c, str) and c.strip() for c in choices):
        raise Unusable(f"choices {choices!r} is no list of at least two texts")
    right = record.get("correct_choice_idx")
    if not isinstance(right, int) or isinstance(right, bool) or not 0 <= right < len(choices):
        raise Unusable(f"correct_choice_idx {right!r} is none of the {len(choices)} choices")
    direct, rationales = record.get("direct_answers") or [], record.get("rationales") or []
    place = f"{COCO[split]}/{image:012}.jpg"
    return Item(
        split=split,
        id=id,
        picture=coco / place,
        place=place,
        questions=(" ".join(question.split()),),
        options={letter: choice.strip() for letter, choice in zip(ascii_uppercase, choices, strict=False)},
        right=(ascii_uppercase[right],),
        explanation=rationales[0].strip() if rationales and isinstance(rationales[0], str) else None,
        columns={
            "direct_answers": [str(answer) for answer in direct],
            "difficult_direct_answer": bool(record.get("difficult_direct_answer")),
        },
    )


def by_question(path: Path) -> Grounded:
    """The records of a file in DrivingVQA's form."""
    return {_key(record.get("img_filename"), record.get("questions")): record for _, record in records(path)}


def with_explanation(item: Item, explained: Grounded) -> Item:
    """`item` with the explanation and the entities that `explained` has for it."""
    record = explained.get(_key(item.place, item.questions[0]))
    if record is None:
        return item
    size, interleaved = record.get("img_size"), record.get("interleaved_explanation")
    return replace(
        item,
        size=(size[0], size[1]) if isinstance(size, list) and len(size) == 2 else None,
        entities=entities_of(record),
        interleaved=interleaved if isinstance(interleaved, str) and interleaved.strip() else None,
    )


def _key(picture: Any, question: Any) -> tuple[str, str]:
    words = question[0] if isinstance(question, list) and len(question) == 1 else question
    return str(picture).rpartition("/")[2], " ".join(str(words).split()).casefold()
