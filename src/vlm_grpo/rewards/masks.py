"""`mask_iou`, `mask_iou_decoded` and `mask_format`: what an outline is worth.

mask_iou           its IoU with the object's stored mask
mask_iou_decoded   its IoU with the codec's drawing of that mask, as VLM-R1's fork scores: 1 for the same numbers,
                   however little of the object they hold
mask_format        1 for one thought and one answer that is the codec's JSON and nothing else, every number there

None for rows of other tasks. The first two are 0 for an answer that cannot be read, whatever it holds.
"""

import json
from functools import partial

from vlm_grpo.rewards import format
from vlm_grpo.rewards.base import Reward
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.rules import Rule
from vlm_grpo.tasks.masks import outlines
from vlm_grpo.tasks.masks.task import EGG, KITE, LEAF, NAME, TASK, answer, drawn, said, to_pixels
from vlm_grpo.tasks.view import AS_IS, View


def iou(completion: str, row: Row, *, rule: Rule, view: View = AS_IS, is_decoded: bool) -> float | None:
    """IoU of the outline with the stored mask, or with what the row's `reference` draws; 0 where none can be read."""
    if row.task != NAME:
        return None
    outcome = TASK.outcome(completion, row, rule=rule, view=view)
    if outcome.said is None or not is_decoded:
        return outcome.credit
    codec = answer(row).codec
    polygon = codec.decode(codec.read(json.loads(row.meta["reference"])))
    reference = drawn(to_pixels(polygon.tolist(), AS_IS), outcome.truth)
    return outlines.iou(drawn(outcome.said, outcome.truth), reference)


def well_formed(completion: str, row: Row, *, rule: Rule, view: View = AS_IS) -> float | None:
    """1.0 for the format asked for, else 0.0; rule and view play no part."""
    if row.task != NAME:
        return None
    is_blocks = format.score(completion, row, rule=rule, view=view) == 1.0
    return float(is_blocks and answer(row).read(completion, "strict") is not None)


_FENCED = "<think> so </think> <answer> ```json\n{} ``` </answer>"
_LOOSE = (
    (said(json.dumps(json.loads(EGG.meta["reference"])) + " it is"), EGG),
    (_FENCED.replace("{}", EGG.meta["reference"]), EGG),
    (f"<answer> {EGG.meta['reference']} </answer>", EGG),
    (f"{said(json.loads(EGG.meta['reference']))} and more", EGG),
    (said('{"centre": [80, 60], "coeffs": [30, 6, -5, Infinity, 0, 0, 0, 0]}'), EGG),
    (said('{"centre": [80, 60], "coeffs": []}'), EGG),
    (said('{"centre": [80, 60]}'), EGG),
    (said([[1, 2], [3, 4]]), KITE),
    (said([[1, 2], [3, 4], [5, False]]), KITE),
    ("", LEAF),
)

REWARDS = (
    *(
        Reward(
            name=name,
            score=partial(iou, is_decoded=is_decoded),
            minimum=0.0,
            maximum=1.0,
            gold=TASK.gold,
            hacks=TASK.hacks,
        )
        for name, is_decoded in (("mask_iou", False), ("mask_iou_decoded", True))
    ),
    Reward(name="mask_format", score=well_formed, minimum=0.0, maximum=1.0, gold=TASK.gold, hacks=_LOOSE),
)
