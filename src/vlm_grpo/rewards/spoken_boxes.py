"""Rewards of the boxes that thoughts name, with recall and precision, and the study's own variants for parity.

boxes            twice the IoUs of the pairs per box said or true (`tasks.driving.measures.shared`)
boxes_50         1 for all true boxes at an IoU of .5 and no other, less for each one missed or too many
boxes_precision  no recall: one good box earns all
study_boxes      the study's: no recall, a label's last box only on both sides, else the best IoU with any true box
study_letters    the study's: the answer's text, so `C, A` earns nothing where `A, C` is right
study_format     the study's: .5 for a thought and an answer at the start, whatever follows

A box that is named again earns nothing. None for rows of other tasks and, of those of boxes, for rows where nobody
annotated any.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial

from vlm_grpo.rewards.base import Reward
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.rules import Rule
from vlm_grpo.tasks.blocks import answer_block
from vlm_grpo.tasks.detection.matching import Labelled
from vlm_grpo.tasks.driving import measures
from vlm_grpo.tasks.driving.columns import NAME, TASKS, entities_of
from vlm_grpo.tasks.driving.task import CAR, LIGHT, OTHER_CAR, PEDESTRIAN, boxes_of, example
from vlm_grpo.tasks.view import AS_IS, View

Measure = Callable[[Sequence[Labelled], Sequence[Labelled]], float]
STUDY_FORMAT = 0.5
_STUDY_FORMAT = re.compile(r"<think>.*?</think>\s*<answer>.*?</answer>", re.DOTALL)


def score(completion: str, row: Row, *, rule: Rule, view: View = AS_IS, measure: Measure) -> float | None:
    """What the boxes of the completion's thoughts are worth by `measure`, 0 to 1; the answer plays no part."""
    true = entities_of(row)
    if row.task not in TASKS or true is None:
        return None
    return measure(boxes_of(completion, view), true)


def letters(completion: str, row: Row, *, rule: Rule, view: View = AS_IS) -> float | None:
    """1.0 where the answer's text is the solution's, in its order, else 0.0."""
    return float(answer_block(completion) == row.solution) if row.task in TASKS else None


def study_format(completion: str, row: Row, *, rule: Rule, view: View = AS_IS) -> float | None:
    """0.5 where the completion starts with a thought and an answer, else 0.0."""
    return STUDY_FORMAT * bool(_STUDY_FORMAT.match(completion)) if row.task in TASKS else None


_ROW, _EMPTY = example(NAME), example(NAME, entities=())


def _thought(*boxes: str) -> str:
    return f"<think> I see {' and '.join(boxes) or 'nothing'}. </think> <answer> A, C </answer>"


_ALL = (PEDESTRIAN, LIGHT, CAR, OTHER_CAR)
_GOLD = (
    (_thought(*_ALL), _ROW),
    (_thought(*reversed(_ALL)), _ROW),
    (_thought(*_ALL[:2], "[400.0, 300.0, 600.0, 450.0 Car]", OTHER_CAR), _ROW),
    (f"<think> {PEDESTRIAN} </think> so <think> {LIGHT} {CAR} {OTHER_CAR} </think> <answer> B </answer>", _ROW),
)
_ONE_OF_FOUR = ((_thought(PEDESTRIAN), _ROW),)
_HACKS = (
    (_thought(), _ROW),
    (f"{' '.join(_ALL)} <answer> A, C </answer>", _ROW),
    (f"<think> so </think> <answer> {' '.join(_ALL)} </answer>", _ROW),
    (f"<think> {' '.join(_ALL)}", _ROW),
    (_thought("[100,200,160,400]", "[700,50,740,150]"), _ROW),
    (_thought("[100,200,100,400 pedestrian]"), _ROW),
    (_thought("[160,400,100,200 pedestrian]"), _ROW),
    (_thought("[900,500,990,590 pedestrian]"), _ROW),
    (_thought("[NaN,200,160,400 pedestrian]"), _ROW),
    ("", _ROW),
)
_MISLABELLED = ((_thought("[100,200,160,400 dog]", "[700,50,740,150 car]"), _ROW),)
_NOTHING_THERE = ((_thought(CAR), _EMPTY),)

MEASURES: dict[str, Measure] = {
    "boxes": measures.shared,
    "boxes_50": measures.at_50,
    "boxes_precision": measures.precise,
}
REWARDS = (
    *(
        Reward(
            name=name,
            score=partial(score, measure=measure),
            minimum=0.0,
            maximum=1.0,
            gold=(*_GOLD, (_thought(), _EMPTY), *(_ONE_OF_FOUR if name == "boxes_precision" else ())),
            hacks=(*_HACKS, *_MISLABELLED, *_NOTHING_THERE),
        )
        for name, measure in MEASURES.items()
    ),
    Reward(
        name="study_boxes",
        score=partial(score, measure=measures.of_study),
        minimum=0.0,
        maximum=1.0,
        gold=(_GOLD[0], *_ONE_OF_FOUR, (_thought("[100,200,160,400 dog]"), _ROW)),
        hacks=(*_HACKS, *_NOTHING_THERE, (_thought(), _EMPTY)),
    ),
    Reward(
        name="study_letters",
        score=letters,
        minimum=0.0,
        maximum=1.0,
        gold=((_thought(), _ROW),),
        hacks=(("<answer> C, A </answer>", _ROW), ("<answer> A,C </answer>", _ROW), ("A, C", _ROW)),
    ),
    Reward(
        name="study_format",
        score=study_format,
        minimum=0.0,
        maximum=STUDY_FORMAT,
        gold=((_thought(), _ROW), (f"{_thought()} and more", _ROW)),
        hacks=(("<answer> A, C </answer>", _ROW), (f"So {_thought()}", _ROW), ("", _ROW)),
    ),
)
