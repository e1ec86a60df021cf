"""The lines of the README: `id`, `image`, `conversations`, with the codec's numbers in the second turn.

{"id": 1, "image": "val2014/NAME.jpg", "conversations": [{"from": "human", "value": "<image>Segment ..."},
 {"from": "gpt", "value": "<answer>{\"centre\":[320.0,240.0],\"coeffs\":[...],\"size\":[480,640]}</answer>"}]}
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vlm_grpo.errors import UserError
from vlm_grpo.rows.records import Row
from vlm_grpo.store import strict_json
from vlm_grpo.tasks.blocks import answer_block
from vlm_grpo.tasks.masks.codecs import CODECS, Codec
from vlm_grpo.tasks.masks.task import answer
from vlm_grpo.tasks.view import View

MARKER = "<image>"


def line(row: Row, number: int) -> dict[str, Any]:
    """The line of `row`, the `number`th of its file from 1."""
    value = json.loads(row.meta["reference"])
    if isinstance(value, dict):
        value = {**value, "size": json.loads(row.solution)["size"]}
    text = json.dumps(value, separators=(",", ":"))
    height, width = json.loads(row.solution)["size"]
    asked = answer(row).asks_in(View(frame="pixels", sizes=((width, height),)))
    return {
        "id": number,
        "image": row.images[0],
        "conversations": [
            {"from": "human", "value": f"{MARKER}{row.problem} Answer with {asked}."},
            {"from": "gpt", "value": f"<answer>{text}</answer>"},
        ],
    }


@dataclass(frozen=True, slots=True)
class Reference:
    """A line that was read: its id as text, the picture's path, the question, the answer's codec and value."""

    id: str
    image: str
    question: str
    codec: Codec
    value: Any


def read(record: Mapping[str, Any], *, where: str) -> Reference:
    """The line `record`; `UserError` opened by `where` for one that has another form."""
    try:
        human, gpt = (str(turn["value"]) for turn in record["conversations"])
        image = record["image"] if isinstance(record["image"], str) else record["image"][0]
        value = strict_json.parse(answer_block(gpt) or gpt)
    except (KeyError, TypeError, IndexError, ValueError):
        raise UserError(
            f"{where}: expected id, image and two conversations, the second with an outline in <answer>"
        ) from None
    for codec in CODECS.values():
        reference = codec.read(value)
        if reference is not None:
            question = human.replace(MARKER, "").partition(" Answer with ")[0].strip()
            return Reference(str(record.get("id")), image, question, codec, reference)
    raise UserError(f"{where}: the answer {gpt[:80]!r} is no outline of {', '.join(CODECS)}")
