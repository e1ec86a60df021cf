"""What a reward is: a pure score of one completion, with answers that prove it and attempts to cheat it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from vlm_grpo.tasks.answers.truth import Rule


class Score(Protocol):
    """Score one completion against its row's solution; None means that it cannot be scored."""

    def __call__(self, completion: str, solution: str, *, rule: Rule) -> float | None:
        """Score `completion`; the range is that of the `Reward`."""
        ...


@dataclass(frozen=True, kw_only=True)
class Reward:
    """A named reward.

    Attributes:
        name: as written in a configuration.
        score: the pure function.
        minimum, maximum: the range of `score`.
        gold: (completion, solution) pairs that must score `maximum` under the strict rule.
        hacks: (completion, solution) pairs that must score `minimum`: known ways to earn without answering.
    """

    name: str
    score: Score
    minimum: float
    maximum: float
    gold: tuple[tuple[str, str], ...]
    hacks: tuple[tuple[str, str], ...]

    def for_trainer(self, rule: Rule) -> Callable[..., list[float | None]]:
        """The reward as TRL calls it: `(completions, solution, **row) -> list[float | None]`, one score each.

        `completions` are conversations of one assistant turn, `solution` the column of the data set.
        """

        def reward(completions: list[list[dict[str, str]]], solution: list[str], **_: Any) -> list[float | None]:
            return [
                self.score(turns[0]["content"], expected, rule=rule)
                for turns, expected in zip(completions, solution, strict=True)
            ]

        reward.__name__ = self.name
        return reward
