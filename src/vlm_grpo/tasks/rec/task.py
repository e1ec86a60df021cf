"""The task `rec`: where in the picture is what an expression refers to? (RefCOCO/+/g; VLM-R1's first task)

A solution is a box `[x1, y1, x2, y2]` of edges in pixels of the picture as its file is (upright), `x2 - x1` wide:
COCO's `[x, y, w, h]` is `[x, y, x + w, y + h]`, and inclusive corners have 1 added to the second. Or it is `no target`.
What a model says in the frame of its family is brought into these pixels when it is read, once; credit is the IoU of
what of it lies in the picture.
"""

from collections.abc import Sequence
from typing import Any

from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.base import AnswerKind
from vlm_grpo.tasks.base import Column, Outcome, Task, bare, tagged
from vlm_grpo.tasks.blocks import answer_block
from vlm_grpo.tasks.outlines import Outline, of_box
from vlm_grpo.tasks.rec.answer import ANY_TARGET, NO_TARGET, TARGET, Said, as_object, to_frame, to_pixels
from vlm_grpo.tasks.rec.boxes import clipped, has_centre_of, iou
from vlm_grpo.tasks.view import View

NAME = "rec"
OFFERS_NONE = "offers_no_target"
"""Column: whether the question offers `no target`, the same in all rows of a data set."""
THRESHOLDS = (0.3, 0.5, 0.7, 0.9)


def problem(expression: str) -> str:
    """What is asked about `expression`."""
    return f'Find the one thing in the image that this describes: "{expression}".'


def answer(row: Row) -> AnswerKind:
    """A box; or `no target` too, where the data set offers it."""
    return ANY_TARGET if row.meta.get(OFFERS_NONE) else TARGET


def credit(said: Said, truth: Said, row: Row, view: View) -> float:
    """The IoU of two boxes, the one said clipped to the picture; 1 where both say that there is no target, else 0."""
    if isinstance(said, str) or isinstance(truth, str):
        return float(said == truth)
    return iou(clipped(said, view.sizes[0]) if view.sizes else said, truth)


def outlines(answer: Said, row: Row) -> tuple[Outline, ...]:
    """The box; nothing where there is no target."""
    return () if isinstance(answer, str) else (of_box(answer),)


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Of the rows with a target: `iou`, its mean; `acc_30` to `acc_90`, the shares with an IoU from .3 to .9.

    `centre`: the share of boxes whose centre lies in the true one. Of those without: `no_target`, the share that is
    told; `denied` is the share of targets that are said to be none. None where there is no such row. An answer that
    cannot be read counts as wrong.
    """
    there = [outcome for outcome in outcomes if outcome.truth != NO_TARGET]
    absent = [outcome for outcome in outcomes if outcome.truth == NO_TARGET]
    in_centre = [isinstance(o.said, list) and has_centre_of(o.truth, o.said) for o in there]
    return {
        "targets": len(there),
        "iou": _mean([outcome.credit for outcome in there]),
        **{f"acc_{round(100 * least)}": _mean([outcome.credit >= least for outcome in there]) for least in THRESHOLDS},
        "centre": _mean(in_centre),
        "denied": _mean([outcome.said == NO_TARGET for outcome in there]),
        "no_targets": len(absent),
        "no_target": _mean([outcome.right for outcome in absent]),
    }


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def no_box(completion: str, row: Row) -> bool:
    """Whether its answer is neither a box nor `no target`."""
    return answer_block(completion) is not None and TARGET.read(completion, "relaxed") is None


def denied(completion: str, row: Row) -> bool:
    """Whether it says that there is no target, and there is one."""
    return TARGET.read(completion, "relaxed") == NO_TARGET != TASK.truth(row)


def _row(solution: str, *, offers_none: bool = False) -> Row:
    return Row(
        id="example",
        images=("images/street.png",),
        problem=problem("the left dog"),
        solution=solution,
        task=NAME,
        meta={OFFERS_NONE: offers_none},
    )


_BOX, _EITHER, _NONE = _row("[40, 30, 200, 150]"), _row("[40, 30, 200, 150]", offers_none=True), _row(NO_TARGET)

TASK = Task(
    name=NAME,
    answer=answer,
    credit=credit,
    right_from=0.5,
    to_pixels=to_pixels,
    to_frame=to_frame,
    wordings={"bare": bare, "tagged": tagged, "object": as_object},
    outlines=outlines,
    figures=figures,
    columns=(
        *(Column(f"Acc@{least:g}", f"acc_{round(100 * least)}") for least in THRESHOLDS),
        Column("mean IoU", "iou"),
        Column("centre", "centre"),
        Column("no target", "no_target"),
    ),
    slices={"sets": "set", "categories": "category", "kinds": "kind", "hops": "hops", "distractors": "distractors"},
    published=(
        "VLM-R1 reports of Qwen2.5-VL-3B, at IoU > .5: RefCOCO/+/g validation on average .856 before, .873 after 600 "
        "steps of GRPO, .856 after as many of SFT; LISA-Grounding .565, .631, .548; no n, no interval"
    ),
    gold=(
        ("<think> two dogs </think> <answer> [40, 30, 200, 150] </answer>", _BOX),
        ("<answer> [40.0, 30.0, 2e2, 150.0] </answer>", _BOX),
        ('<answer>\n{\n  "bbox_2d": [\n    40,\n    30, 200, 150\n  ]\n}\n</answer>', _BOX),
        ('<answer> [{"bbox_2d": [40, 30, 200, 150], "label": "dog"}] </answer>', _EITHER),
        ("<think> only cats </think> <answer> no target </answer>", _NONE),
        ("<answer> No target. </answer>", _NONE),
    ),
    hacks=(
        ("[40, 30, 200, 150]", _BOX),
        ("<answer> [40, 30, 200, 150] </answer> <answer> [0, 0, 9, 9] </answer>", _BOX),
        ("<answer> [40, 30, 200, 150] or [0, 0, 9, 9] </answer>", _BOX),
        ("<answer> [[40, 30, 200, 150], [0, 0, 9, 9]] </answer>", _BOX),
        ("<answer> no target, or [40, 30, 200, 150] </answer>", _EITHER),
        ("<answer> [40, 30, 200, 150], else no target </answer>", _row(NO_TARGET, offers_none=True)),
        ("<answer> no target </answer>", _EITHER),
        ("<answer> no target </answer>", _BOX),
        ("<answer> [0, 0, 1, 1] </answer>", _NONE),
        ("<answer> [] </answer>", _BOX),
        ("<answer> [0, 0, 0, 0] </answer>", _BOX),
        ("<answer> [200, 30, 300, 150] </answer>", _BOX),
        ("<answer> [40, 30, 200, NaN] </answer>", _BOX),
        ("<answer> [-Infinity, -Infinity, Infinity, Infinity] </answer>", _BOX),
        ("<answer> [-1e999, 0, 1e999, 1e999] </answer>", _BOX),
        ("<answer> 40, 30 </answer>", _BOX),
        ("<answer> on the left </answer>", _BOX),
        ("<answer> [40, 30, 200, 150]", _BOX),
        ("<think> <answer> [40, 30, 200, 150] </answer>", _BOX),
        ("", _NONE),
    ),
    probes={"no_box": no_box, "denied": denied},
)
