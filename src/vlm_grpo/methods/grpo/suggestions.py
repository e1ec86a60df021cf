"""Training rows with captions or thoughts that suggest the right or a wrong answer, so that neither is taken as given.

Before the question of a drawn row stands a caption as `faithfulness` probes with (`Counterfactuals.claim`), in the
prompt alone: rewards read the row as it was. Or its completions begin with a thought (`Counterfactuals.argue`) that was
put into the model's mouth, which rewards read before what the model says (`beginnings`). A model that is taught on
right and wrong ones learns that they may be wrong; arXiv 2602.12506, which adds a tenth of each, reports models that
then withstand captions, and not thoughts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from vlm_grpo.errors import UserError
from vlm_grpo.methods.arguments import RewardArguments
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.base import FRAME
from vlm_grpo.tasks.asking import with_caption, with_thought
from vlm_grpo.tasks.blocks import END_THINK, THINK
from vlm_grpo.tasks.registry import task_of

Shares = tuple[float, float, float, float]
"""Of the rows: right captions, wrong captions, right thoughts, wrong thoughts."""


@dataclass(frozen=True)
class Suggestion:
    """What is said to a row: a caption or a thought, for its true answer or a wrong one."""

    is_caption: bool
    is_right: bool

    @property
    def settings(self) -> str:
        """The settings to leave out where it cannot be said."""
        what = "captions" if self.is_caption else "thoughts"
        return f"right_{what} and wrong_{what}"


KINDS = tuple(Suggestion(is_caption, is_right) for is_caption in (True, False) for is_right in (True, False))
"""In the order of `Shares`."""


def shares_of(settings: RewardArguments) -> Shares:
    """The shares that the settings ask for."""
    return settings.right_captions, settings.wrong_captions, settings.right_thoughts, settings.wrong_thoughts


def suggesting(rows: Sequence[Row], shares: Shares, *, seed: int, where: str) -> list[Row]:
    """`rows`, of which `shares` have a caption or begin with a thought; no row has two.

    Which rows these are, and which answer is wrong, is drawn with `seed`. `UserError` opened by `where` for a row whose
    answers lie in a picture, or that no wrong answer is known for.
    """
    counts = [round(share * len(rows)) for share in shares]
    drawn = Random(f"{seed} captions").sample([row.id for row in rows], min(sum(counts), len(rows)))
    kinds = [kind for kind, count in zip(KINDS, counts, strict=True) for _ in range(count)]
    of_row = dict(zip(drawn, kinds, strict=False))
    return [said_to(row, of_row[row.id], seed=seed, where=where) if row.id in of_row else row for row in rows]


def said_to(row: Row, kind: Suggestion, *, seed: int, where: str) -> Row:
    """`row` with a suggestion for its true answer, or for the wrong one that its id and `seed` draw."""
    task = task_of(row)
    remedy = f"leave out {kind.settings}"
    if FRAME in task.answer(row).asks:
        raise UserError(f"{where} row {row.id}: its answer lies in the picture, which nothing suggests; {remedy}")
    answer: Any = task.truth(row)
    counterfactuals = task.counterfactuals_of(row)
    if not kind.is_right:
        answer = counterfactuals.wrong(answer, row, Random(f"{seed} {row.id} wrong"))
    if answer is None:
        raise UserError(f"{where} row {row.id}: no wrong answer is known that could be suggested; {remedy}")
    if kind.is_caption:
        return with_caption(row, counterfactuals.claim(answer, row, task.answer(row)))
    thought = counterfactuals.argue(answer, row, task.answer(row), Random(f"{seed} {row.id} argue"))
    return with_thought(row, f"{THINK} {thought} {END_THINK}")
