"""The task `masks`: outline the object that is asked for, in the numbers of a codec; worth the IoU with its mask.

A row's solution is the object's mask as run lengths, in pixels of the picture as it is, and its column `codec` says how
the answer is written. An answer is decoded to a polygon in the model's frame and brought to the picture's pixels, so
nothing is fitted twice; SFT teaches the mask as the model sees it, encoded in its frame. A reference in a codec's own
numbers is taken as a solution too (VLM-R1's lines have one, with the picture's size): then its drawing is the mask.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from skimage.measure import find_contours

from vlm_grpo.errors import UserError
from vlm_grpo.rows.records import Row
from vlm_grpo.store import strict_json
from vlm_grpo.tasks.answers.base import AnswerKind
from vlm_grpo.tasks.base import Column, Outcome, Task
from vlm_grpo.tasks.blocks import OPEN, answer_block
from vlm_grpo.tasks.coco.instances import Rle
from vlm_grpo.tasks.masks import outlines
from vlm_grpo.tasks.masks.codecs import CODECS, Codec, unfenced
from vlm_grpo.tasks.outlines import Outline as Drawn
from vlm_grpo.tasks.view import View

NAME = "masks"
DEFAULT = "cosine8"
AT = (0.5, 0.7, 0.9)
"""IoUs from which an outline counts, in the figures."""


@dataclass(frozen=True, kw_only=True)
class Outline(AnswerKind):
    """An outline in the numbers of `codec`: what is read is decoded, a solution is a mask."""

    codec: Codec

    def solution(self, solution: str, *, where: str) -> Rle:
        """The mask: run lengths, or a reference with the size [height, width] of its picture."""
        text = answer_block(solution) if OPEN in solution else solution
        try:
            value = strict_json.parse(text or "")
        except ValueError:
            value = None
        size = value.get("size") if isinstance(value, dict) else None
        if isinstance(size, list) and len(size) == 2 and all(isinstance(side, int) and side > 0 for side in size):
            if isinstance(value.get("counts"), str):
                return {"size": size, "counts": value["counts"]}
            reference = self.codec.read(value)
            if reference is not None:
                return outlines.filled(self.codec.decode(reference), width=size[1], height=size[0])
        raise UserError(f"{where}: solution {solution[:80]!r} is {self.refused}; build the data set again")


def kind_of(codec: Codec) -> Outline:
    """The kind of answer of `codec`; its values are polygons [[x, y], ...], and the masks that they are asked for."""

    def parse(text: str, relaxed: bool) -> Any:
        value = codec.parse(unfenced(text) if relaxed else text)
        return None if value is None else codec.decode(value).tolist()

    def write(value: Any) -> str:
        """A mask in the codec's numbers, a polygon that was read as it is."""
        return json.dumps(codec.encode(outlines.pixels(value)) if isinstance(value, dict) else value)

    return Outline(
        name=codec.name,
        asks=codec.asks,
        refused=f"no mask as run lengths, and no {codec.name} with a size",
        parse=parse,
        write=write,
        codec=codec,
    )


KINDS = {name: kind_of(codec) for name, codec in CODECS.items()}


def answer(row: Row) -> Outline:
    """The kind of answer by the row's `codec`; `UserError` where it is not known."""
    name = row.meta.get("codec", DEFAULT)
    if name not in KINDS:
        raise UserError(f"row {row.id}: unknown codec {name!r}; known: {', '.join(KINDS)}")
    return KINDS[name]


def to_pixels(polygon: list[list[float]], view: View) -> list[list[float]]:
    """The polygon in pixels of the picture as it is, to a hundredth."""
    moved = view.to_pixels([side for point in polygon for side in point])
    return [[round(x, 2), round(y, 2)] for x, y in zip(moved[::2], moved[1::2], strict=True)]


def to_frame(mask: Rle, view: View) -> Rle:
    """The mask as the model's frame has it."""
    if view.frame == "pixels":
        return mask
    width, height = view.canvas()
    return outlines.resized(mask, width=width, height=height)


def drawn(polygon: Sequence[Sequence[float]], mask: Rle) -> Rle:
    """`polygon`, in pixels, as a mask of the size of `mask`."""
    height, width = mask["size"]
    return outlines.filled(polygon, width=width, height=height)


def drawings(answer: Any, row: Row) -> tuple[Drawn, ...]:
    """A polygon as it is; of a mask the outline of each part and each hole."""
    if not isinstance(answer, dict):
        return (Drawn(tuple((x, y) for x, y in answer)),)
    contours = find_contours(np.pad(outlines.pixels(answer), 1).astype(float), 0.5)
    return tuple(Drawn(tuple((x - 0.5, y - 0.5) for y, x in contour.tolist()[:-1])) for contour in contours)


def credit(said: list[list[float]], truth: Rle, row: Row, view: View) -> float:
    """IoU of the outline with the stored mask."""
    return outlines.iou(drawn(said, truth), truth)


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """gIoU (the mean over rows), cIoU (all pixels of both over all pixels of either), the share of rows from some IoUs.

    An answer that cannot be read has no pixel.
    """
    shared = either = 0
    for outcome in outcomes:
        height, width = outcome.truth["size"]
        said = drawn(outcome.said, outcome.truth) if outcome.said else outlines.empty(width=width, height=height)
        pixels = outlines.overlap(said, outcome.truth)
        shared, either = shared + pixels[0], either + pixels[1]
    credits = [outcome.credit for outcome in outcomes]
    return {
        "giou": sum(credits) / len(credits) if credits else None,
        "ciou": shared / either if either else None,
        **{f"at{round(100 * at)}": sum(value >= at for value in credits) / max(len(credits), 1) for at in AT},
    }


def is_circle(completion: str, row: Row) -> bool:
    """Whether the outline read is as far from its middle everywhere: what a policy may settle on."""
    polygon = answer(row).read(completion, "relaxed")
    if not polygon:
        return False
    middle = [sum(side) / len(polygon) for side in zip(*polygon, strict=True)]
    radii = [((x - middle[0]) ** 2 + (y - middle[1]) ** 2) ** 0.5 for x, y in polygon]
    return len(polygon) > 4 and max(radii) - min(radii) <= 0.01 * max(radii)


def _row(name: str, reference: Any) -> Row:
    codec = CODECS[name]
    mask = outlines.filled(to_pixels(codec.decode(reference).tolist(), View()), width=160, height=120)
    return Row(
        id=f"example-{name}",
        images=("val2014/pond.jpg",),
        problem="Segment the dog.",
        solution=json.dumps(mask),
        task=NAME,
        meta={"codec": name, "reference": json.dumps(reference)},
    )


_EGG: dict[str, Any] = {"centre": [80, 60], "coeffs": [30, 6, -5, 0.5, 0, 0, 0, 0]}
_LEAF = {"centre": [80, 60], "cos": [30, 6, -5, 0, 0, 0, 0, 0, 0], "sin": [8, 3, 0, 0, 0, 0, 0, 0]}
_KITE = [[40, 60], [80, 20], [120, 60], [80, 110]]
EGG, LEAF, KITE = _row("cosine8", _EGG), _row("fourier8", _LEAF), _row("polygon", _KITE)
"""Examples, for the rewards too."""


def said(value: Any) -> str:
    """A completion that states `value`."""
    return (
        f"<think> It lies there. </think> <answer> {value if isinstance(value, str) else json.dumps(value)} </answer>"
    )


def _egg(**other: Any) -> str:
    return said({**_EGG, **other})


TASK = Task(
    name=NAME,
    answer=answer,
    credit=credit,
    right_from=0.5,
    to_pixels=to_pixels,
    to_frame=to_frame,
    outlines=drawings,
    figures=figures,
    columns=(Column("cIoU", "ciou"), *(Column(f"IoU >= {at}", f"at{round(100 * at)}") for at in AT)),
    slices={"categories": "category", "hints": "hint"},
    probes={"circle": is_circle},
    published=(
        "the fork of VLM-R1 that these masks come from publishes no figures; the outline itself loses .36 of IoU on "
        "average in cosine8, .18 in fourier8, .05 in polygon (docs/masks.md)"
    ),
    gold=(
        (said(_EGG), EGG),
        (_egg(size=[120, 160]), EGG),
        (said(_LEAF), LEAF),
        (said(_KITE), KITE),
    ),
    hacks=(
        (_egg(centre=[80, 360]), EGG),
        (_egg(centre=[10, 10], coeffs=[8, 0, 0, 0, 0, 0, 0, 0]), EGG),
        (_egg(coeffs=[-30, 0, 0, 0, 0, 0, 0, 0]), EGG),
        (_egg(coeffs=[0] * 8), EGG),
        (_egg(coeffs=_EGG["coeffs"][:7]), EGG),
        (_egg(coeffs=[*_EGG["coeffs"], 0]), EGG),
        (_egg(coeffs=[30, True, -5, 0, 0, 0, 0, 0]), EGG),
        (_egg(centre=[80, 60, 1]), EGG),
        (_egg(label="dog"), EGG),
        (said('{"centre": [80, 60], "coeffs": [NaN, 6, -5, 0, 0, 0, 0, 0]}'), EGG),
        (said('{"centre": [80, 60], "coeffs": [1e400, 6, -5, 0, 0, 0, 0, 0]}'), EGG),
        (said('{"centre": [0, 0], "centre": [80, 60], "coeffs": [30, 6, -5, 0.5, 0, 0, 0, 0]}'), EGG),
        (said('"centre": [80, 60], "coeffs": [30, 6, -5, 0.5, 0, 0, 0, 0]'), EGG),
        (f"{said(_EGG)} {said(_EGG)}", EGG),
        (json.dumps(_EGG), EGG),
        (said(_KITE), EGG),
        (said(EGG.solution), EGG),
        (said(_EGG), LEAF),
        (said([[40, 60], [80, 20]]), KITE),
        (said([[0, 0], [0, 0], [0, 0]]), KITE),
        (said(_KITE * 40), KITE),
        (said("the whole picture"), KITE),
        ("", EGG),
    ),
)
