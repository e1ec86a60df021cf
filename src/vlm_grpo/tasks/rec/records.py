"""VLM-R1's own records of referring expressions: a JSON list, or JSONL, beside folders of COCO's pictures.

A record has `image` (a path below the folder of pictures), the question in `problem` or in the first of its
`conversations`, and the box in `solution` or in the second. `solution` is `[x1, y1, x2, y2]` by its edges, in pixels of
the picture or, in the files made for InternVL, in thousandths. `bbox_list` holds boxes with inclusive corners: where
there is no `solution`, the one that it holds has 1 added to its second corner; where there is, the two must agree.
`solution: null` means that the picture shows nothing that fits.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from vlm_grpo import text_files
from vlm_grpo.adapters.base import Size
from vlm_grpo.store import jsonl
from vlm_grpo.tasks.answers.box import Box
from vlm_grpo.tasks.blocks import answer_block
from vlm_grpo.tasks.rec.example import Coordinates, Example, Unusable, box_of
from vlm_grpo.tasks.rec.source import Named, Source, dropped

MARKER = "<image>"
NEAR = 1.5
"""Pixels by which `bbox_list` may differ from `solution`: the 1 that tells their corners apart, and rounding."""
_DESCRIBES = re.compile(r"sentence describes:\s*(.*)", re.DOTALL)


def read(files: Sequence[Named], *, images: Path, coordinates: Coordinates, limit: int | None) -> Source:
    """The examples of `files`, in order; of each file the first `limit` records."""
    examples: list[Example] = []
    left_out = []
    for file in files:
        for number, record in list(_records(file.path))[:limit]:
            name = next(
                (record[key] for key in ("annotation_id", "id") if isinstance(record.get(key), str | int)), number
            )
            id = f"{file.label}-{name}"
            try:
                examples.append(_example(id, file, record, images, coordinates))
            except Unusable as reason:
                left_out.append(dropped(file.split, id, f"{file.path.name} record {number}: {reason}"))
    config = {"images": str(images), "coordinates": coordinates, "limit": limit}
    return Source.of("VLM-R1 records", {f.named: f.path for f in files}, examples, left_out, config=config)


def _records(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Number, from 1, and object of each record."""
    if text_files.read_bytes(path).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
        yield from enumerate(jsonl.read_list(path), start=1)
    else:
        yield from jsonl.read_input(path)


def _example(id: str, file: Named, record: Mapping[str, Any], images: Path, coordinates: Coordinates) -> Example:
    turns = [turn.get("value") for turn in record.get("conversations") or [] if isinstance(turn, Mapping)]
    problem = record.get("problem") or (turns[0] if turns else None)
    if not isinstance(problem, str) or not problem.replace(MARKER, "").strip():
        raise Unusable("it has no question, neither 'problem' nor 'conversations'")
    question = problem.replace(MARKER, "").strip()
    kinds = record.get("categories") if isinstance(record.get("categories"), Mapping) else {}
    picture = _picture(record.get("image"))
    return Example(
        split=file.split,
        id=id,
        picture=images / picture,
        place=f"images/{picture}",
        expression=_expression(record, question),
        problem=question,
        box=_box(record, turns, coordinates),
        coordinates=coordinates,
        size=_size(record),
        columns={"set": file.set, "category": _text(record.get("category")), **_difficulty(kinds or {})},
    )


def _picture(name: Any) -> str:
    names = [name] if isinstance(name, str) else name
    if not isinstance(names, list) or len(names) != 1 or not isinstance(names[0], str) or not names[0].strip():
        raise Unusable(f"'image' is {json.dumps(name)}; one picture is needed")
    path = PurePosixPath(names[0])
    if path.is_absolute() or ".." in path.parts:
        raise Unusable(f"picture {names[0]} does not lie below the folder of pictures")
    return str(path)


def _box(record: Mapping[str, Any], turns: Sequence[Any], coordinates: Coordinates) -> Box | None:
    listed = record.get("bbox_list")
    if isinstance(listed, list) and len(listed) > 1:
        raise Unusable(f"it has {len(listed)} boxes, and one is asked for")
    inclusive = box_of(listed[0], inclusive=True) if isinstance(listed, list) and listed else None
    if "solution" not in record and len(turns) < 2:
        if inclusive is None or coordinates != "pixels":
            raise Unusable("it has no box, neither 'solution' nor 'bbox_list' (of pixels) nor 'conversations'")
        return inclusive
    stated = record["solution"] if "solution" in record else turns[1]
    if stated is None:
        return None
    box = box_of(_value(stated) if isinstance(stated, str) else stated)
    if inclusive and coordinates == "pixels" and max(abs(a - b) for a, b in zip(box, inclusive, strict=True)) > NEAR:
        raise Unusable(f"its solution {json.dumps(box)} and its bbox_list {json.dumps(listed)} are different boxes")
    return box


def _value(text: str) -> Any:
    """The JSON value of an answer, in its block or bare."""
    stated = answer_block(text)
    try:
        return json.loads(text if stated is None else stated)
    except ValueError:
        raise Unusable(f"its answer {text!r} is no box") from None


def _size(record: Mapping[str, Any]) -> Size | None:
    width, height = record.get("width"), record.get("height")
    return (width, height) if isinstance(width, int) and isinstance(height, int) else None


def _expression(record: Mapping[str, Any], question: str) -> str:
    caption = record.get("normal_caption")
    if isinstance(caption, str) and caption.strip():
        return caption.strip()
    described = _DESCRIBES.search(question)
    return (described[1].strip().removesuffix(".") if described else "") or question


def _difficulty(kinds: Mapping[str, Any]) -> dict[str, str | None]:
    """What an annotator says makes the expression hard."""
    listed = kinds.get("type")
    kind = " + ".join(str(part) for part in listed) if isinstance(listed, list) else _text(listed)
    return {"kind": kind or None, "hops": _text(kinds.get("hops")), "distractors": _text(kinds.get("distractors"))}


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
