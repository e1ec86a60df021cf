"""What is asked about a grounding scene, and the answers: exact ones, and rough ones that give the shape's cell.

Wording and form are those of the tasks `rec`, `detection` and `masks`. Rows have their answers in pixels of the
picture; `exact`, `rough` and `said` write them as the model says them.
"""

import json
from typing import Any, Literal, get_args

from vlm_grpo.embedded.grounding_scenes import SCALE, SIDE, Shape
from vlm_grpo.embedded.scenes import SIZE
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.masks import outlines
from vlm_grpo.tasks.rec import task as rec
from vlm_grpo.tasks.registry import task_named
from vlm_grpo.tasks.view import View

Kind = Literal["rec", "detection", "masks"]
KINDS: tuple[Kind, ...] = get_args(Kind)
CODEC = "polygon"
"""How masks are to be written, unless something else is said: in few enough numbers for a tiny model."""
VIEW = View(frame="resized_pixels", sizes=((SIDE, SIDE),), shown=((SIZE, SIZE),))
"""How the model sees every picture."""
EVERY_SHAPE = "Find every shape in the picture."


def as_row(name: str, kind: Kind, asked: tuple[Shape, ...], *, codec: str = CODEC) -> Row:
    """The row of the task `kind` that asks about `asked`; masks are to be written in `codec`."""
    problem, solution, meta = _content(kind, asked, codec)
    images = (f"images/{name}.png",)
    return Row(id=f"{kind}/{name}", images=images, problem=problem, solution=solution, task=kind, meta=meta)


def _content(kind: Kind, asked: tuple[Shape, ...], codec: str) -> tuple[str, Any, dict[str, Any]]:
    first, boxes = asked[0], [shape.box for shape in asked]
    if kind == "masks":
        mask = outlines.as_rle(first.mask())
        return f"Segment the {first.name}.", mask, {"category": first.kind, "codec": codec}
    if kind == "detection":
        return EVERY_SHAPE, _answer(kind, asked, boxes), {"objects": len(asked)}
    return rec.problem(first.name), _answer(kind, asked, boxes), {"category": first.kind}


def asks(row: Row) -> str:
    """What the prompt says of the answer's form."""
    return task_named(row.task).answer(row).asks_in(VIEW)


def exact(kind: Kind, asked: tuple[Shape, ...]) -> str:
    """The true answer as the model says it; of a mask the shape's corners."""
    if kind == "masks":
        return _polygon(asked[0].corners)
    return said(kind, _answer(kind, asked, [shape.box for shape in asked]))


def rough(kind: Kind, asked: tuple[Shape, ...]) -> str:
    """The cells that the shapes are in, for their boxes or their outline, as the model says it."""
    if kind == "masks":
        left, top, right, bottom = asked[0].cell_box
        return _polygon([[left, top], [right, top], [right, bottom], [left, bottom]])
    return said(kind, _answer(kind, asked, [shape.cell_box for shape in asked]))


def said(kind: Kind, answer: Any) -> str:
    """Boxes in pixels of the picture, in the model's frame and form."""
    row = Row(id="said", images=("picture.png",), problem="?", solution=answer, task=kind)
    return task_named(kind).target(row, "bare", VIEW)


def _polygon(corners: list[list[int]]) -> str:
    return json.dumps([[x // SCALE, y // SCALE] for x, y in corners])


def _answer(kind: Kind, asked: tuple[Shape, ...], boxes: list[list[int]]) -> Any:
    if kind == "rec":
        return boxes[0]
    return [{"bbox_2d": box, "label": shape.name} for shape, box in zip(asked, boxes, strict=True)]
