"""What a reward is: a pure score of one completion of a row, with answers that prove it and attempts to cheat it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.rules import Rule
from vlm_grpo.tasks.asking import beginning_of
from vlm_grpo.tasks.blocks import call_as_answer
from vlm_grpo.tasks.view import AS_IS, View

ROW, VIEW = "row", "view"
"""Columns of the training data that carry each completion's row and view, as JSON."""


class Score(Protocol):
    """Score one completion of a row; None means that it cannot be scored."""

    def __call__(self, completion: str, row: Row, *, rule: Rule, view: View = AS_IS) -> float | None:
        """Score `completion`; the range is that of the `Reward`."""
        ...


@dataclass(frozen=True, kw_only=True)
class Reward:
    """A named reward.

    Attributes:
        name: as written in a configuration.
        score: the pure function.
        minimum, maximum: the range of `score`.
        gold: (completion, row) pairs that must score `maximum` under the strict rule.
        hacks: (completion, row) pairs that must score `minimum`: known ways to earn without answering.
        prepare: looks at all completions of a step, with their rows, before they are scored one by one.
        each_turn: whether the turns of a completion that an environment answers are scored one by one, for their mean;
            else the last one is, which states the answer.
    """

    name: str
    score: Score
    minimum: float
    maximum: float
    gold: tuple[tuple[str, Row], ...]
    hacks: tuple[tuple[str, Row], ...]
    each_turn: bool = False
    prepare: Callable[[Sequence[tuple[str, Row]], Rule], None] | None = None

    def of_turns(self, said: Sequence[str], row: Row, *, rule: Rule, view: View = AS_IS) -> float | None:
        """The score of a completion in which the model `said` one or more turns; None where one cannot be scored.

        In each turn but the last, the call of a tool may stand where the answer would.
        """
        texts = [*(call_as_answer(text) for text in said[:-1]), said[-1]] if self.each_turn else [said[-1]]
        scores = [self.score(text, row, rule=rule, view=view) for text in texts]
        known = [score for score in scores if score is not None]
        return sum(known) / len(known) if len(known) == len(scores) else None

    def for_trainer(self, rule: Rule) -> Callable[..., list[float | None]]:
        """The reward as TRL calls it: `(completions, row, view, **columns) -> list[float | None]`, one score each.

        `completions` are conversations with one assistant turn or, where an environment answers it, several; `row` and
        `view` are columns of the data set. Where a row's completions begin with a thought that was put into the model's
        mouth, it is read before what the model says.
        """

        def reward(
            completions: list[list[dict[str, Any]]], row: list[str], view: list[str], **_: Any
        ) -> list[float | None]:
            said = [[turn["content"] for turn in turns if turn["role"] == "assistant"] for turns in completions]
            rows = [Row.model_validate_json(one) for one in row]
            said = [[beginning_of(one) + turns[0], *turns[1:]] for turns, one in zip(said, rows, strict=True)]
            if self.prepare is not None:
                self.prepare([(turns[-1], one) for turns, one in zip(said, rows, strict=True)], rule)
            return [
                self.of_turns(turns, one, rule=rule, view=View.model_validate_json(one_view))
                for turns, one, one_view in zip(said, rows, view, strict=True)
            ]

        reward.__name__ = self.name
        return reward
