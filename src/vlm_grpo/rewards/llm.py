"""`llm`: 1 when a judge finds the reference in the answer, else 0; for rows that leave it to a judge.

An answer in the reference's own words is right, and none or an endless one wrong, without asking. None where there is
no verdict, and for all other rows: `accuracy` is theirs. Training opens the judge (`with_judge`); by itself this reward
asks nobody.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from vlm_grpo.rewards.base import Reward
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.rules import Rule
from vlm_grpo.tasks.registry import task_of
from vlm_grpo.tasks.view import AS_IS, View

if TYPE_CHECKING:
    from vlm_grpo.rewards.grading import Grader, Question

NAME = "llm"
LONGEST = 2000
"""Characters; what is longer is no answer, and would cost."""


def settled(completion: str, row: Row, rule: Rule) -> float | str:
    """What the completion earns without a judge, or the answer that a judge must be asked about."""
    task = task_of(row)
    kind, truth = task.answer(row), task.truth(row)
    said = kind.read(completion, rule)
    if said is None or len(str(said)) > LONGEST:
        return 0.0
    return 1.0 if kind.same(said, truth) else kind.write(said)


def score(completion: str, row: Row, *, rule: Rule, view: View = AS_IS, grader: "Grader | None" = None) -> float | None:
    """1.0 for the reference in whatever words, 0.0 for another answer under `rule` or none; None without a verdict."""
    if not task_of(row).needs_judge(row):
        return None
    said = settled(completion, row, rule)
    if isinstance(said, float):
        return said
    verdict = None if grader is None else grader.is_same(question(row, said))
    return None if verdict is None else float(verdict)


def with_judge(grader: "Grader") -> Reward:
    """The reward that asks `grader` about all answers of a step at once."""

    def prepare(completions: Sequence[tuple[str, Row]], rule: Rule) -> None:
        judged = [(text, row) for text, row in completions if task_of(row).needs_judge(row)]
        answers = [(settled(text, row, rule), row) for text, row in judged]
        grader.ask([question(row, said) for said, row in answers if isinstance(said, str)])

    return replace(REWARD, score=partial(score, grader=grader), prepare=prepare)


def question(row: Row, said: str) -> "Question":
    """What a judge is asked about the answer `said` to `row`."""
    from vlm_grpo.rewards.grading import Question  # the client of a server takes a second to import

    return Question(row.id, row.problem, row.solution, said)


_ROW = Row(
    id="example",
    images=(),
    problem="What is the weather like?",
    solution="It rains.",
    task="jsonl",
    meta={"accu_reward_method": "llm"},
)

REWARD = Reward(
    name=NAME,
    score=score,
    minimum=0.0,
    maximum=1.0,
    gold=(("<think> wet </think> <answer> it  rains </answer>", _ROW),),
    hacks=(
        ("It rains.", _ROW),
        ("<answer> </answer>", _ROW),
        ("<answer> It rains. </answer> <answer> It snows. </answer>", _ROW),
        (f"<answer> {'It rains or snows. ' * 200} </answer>", _ROW),
        ("", _ROW),
    ),
)
