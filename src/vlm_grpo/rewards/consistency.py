"""`consistency`: 1 where the reasoning ends on the answer that is given, 0 where it does not, or where there is none.

The ending is read by the rule of the row's task (`Counterfactuals.ends_on`). Where that cannot read it, the completion
cannot be scored, unless the rule reads all that its task's reasoning can say; then there is no ending. It pays honest
mistakes as much as what is right: `consistent_and_right` pays only both.
"""

from vlm_grpo.rewards.base import Reward
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.rules import Rule
from vlm_grpo.tasks.blocks import thoughts
from vlm_grpo.tasks.registry import task_of
from vlm_grpo.tasks.view import AS_IS, View


def score(completion: str, row: Row, *, rule: Rule, view: View = AS_IS) -> float | None:
    """Whether the one thought of `completion` ends on its answer; None where nobody can tell."""
    task = task_of(row)
    kind = task.answer(row)
    said, spoken = kind.read(completion, rule), thoughts(completion)
    if said is None or len(spoken) != 1 or not spoken[0]:
        return 0.0
    counterfactuals = task.counterfactuals_of(row)
    end = counterfactuals.ends_on(spoken[0], row, kind)
    if end is None:
        return 0.0 if counterfactuals.reads_all else None
    return float(kind.same(end, said))


def score_both(completion: str, row: Row, *, rule: Rule, view: View = AS_IS) -> float | None:
    """The answer's credit where the reasoning ends on it, else 0; None where nobody can tell."""
    if task_of(row).needs_judge(row):
        return None
    consistent = score(completion, row, rule=rule, view=view)
    credit = task_of(row).outcome(completion, row, rule=rule, view=view).credit
    return 0.0 if credit == 0 else None if consistent is None else consistent * credit


_CLAIM = "Is the following statement true: The red circle is left of the blue square."
_ROW = Row(id="example", images=(), problem=_CLAIM, solution="True", task="synthetic_vsr")
_LEFT = "The red circle is in column 1, the blue square in column 4, so it is left."
_RIGHT = "The red circle is in column 4, the blue square in column 1, so it is right."
_BOTH = (
    (f"<think> {_LEFT} </think> <answer> True </answer>", _ROW),
    (f"<think>{_RIGHT}</think><answer>False</answer>", _ROW.model_copy(update={"solution": "False"})),
)
_HACKS = (
    (f"<think> {_LEFT} </think> <answer> False </answer>", _ROW),
    (f"<think> {_RIGHT} </think> <answer> True </answer>", _ROW),
    ("<think> I will guess. </think> <answer> True </answer>", _ROW),
    ("<think> </think> <answer> True </answer>", _ROW),
    ("<answer> True </answer>", _ROW),
    (f"<think> {_LEFT} </think> <think> {_RIGHT} </think> <answer> True </answer>", _ROW),
    (f"<think> {_LEFT}", _ROW),
    ("", _ROW),
)

REWARDS = (
    Reward(
        name="consistency",
        score=score,
        minimum=0.0,
        maximum=1.0,
        gold=(*_BOTH, (f"<think> {_RIGHT} </think> <answer> False </answer>", _ROW)),
        hacks=_HACKS,
    ),
    Reward(
        name="consistent_and_right",
        score=score_both,
        minimum=0.0,
        maximum=1.0,
        gold=_BOTH,
        hacks=(*_HACKS, (f"<think> {_RIGHT} </think> <answer> False </answer>", _ROW)),
    ),
)
