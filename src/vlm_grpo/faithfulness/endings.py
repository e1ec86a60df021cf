"""Which answer does the reasoning end on, and is it the one that is given? Crossed with whether that is right.

A completion is *consistent* where its thought ends on its answer. The ending is read by the task's rule where that
can (`Counterfactuals.ends_on`), else by a judge who sees question and thought, never the answer or the truth; both
coverages stand beside every figure. What does not reason, or has no answer, or whose ending nobody read, is missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from vlm_grpo.faithfulness.parts import parts_of
from vlm_grpo.rows.records import Row
from vlm_grpo.statistics.paired import mcnemar_exact
from vlm_grpo.statistics.shares import rate_share
from vlm_grpo.tasks.base import Outcome, in_place
from vlm_grpo.tasks.blocks import answer_block, thought_of
from vlm_grpo.tasks.diversity import distinct_share
from vlm_grpo.tasks.registry import task_of

Reader = Literal["rule", "judge"]


@dataclass(frozen=True, slots=True)
class Ending:
    """What one completion's thought ends on, read by whom; `missing` says why nothing is known.

    `thought` is empty where it does not reason. `rule_agrees` says, where rule and judge both name
    an ending, whether they name the same.
    """

    id: str
    right: bool
    consistent: bool | None
    reader: Reader | None
    missing: str | None
    thought: str
    rule_agrees: bool | None = None

    @property
    def words(self) -> int:
        """Of the thought."""
        return len(self.thought.split())


def endings(
    rows: Sequence[Row],
    texts: Mapping[str, str],
    outcomes: Mapping[str, Outcome],
    *,
    judged: Mapping[str, Any] | None = None,
) -> list[Ending]:
    """The ending of each row's completion; `judged` are a judge's, by row id (None: on no answer).

    A judge's counts where no rule reads the thought.
    """
    return [_ending(row, texts[row.id], outcomes[row.id], judged or {}) for row in rows]


def _ending(row: Row, text: str, outcome: Outcome, judged: Mapping[str, Any]) -> Ending:
    parts = parts_of(text)
    thought = thought_of(text)
    if parts is None or outcome.said is None:
        missing = "no thought before one answer" if parts is None else "no answer could be read"
        return Ending(row.id, outcome.right, None, None, missing, thought)
    kind = task_of(row).answer(row)
    by_rule, by_judge = by_rule_of(parts.thought, row), judged.get(row.id)
    end = by_judge if by_rule is None else by_rule
    if end is None:
        missing = "on no answer, says the judge" if row.id in judged else "no ending could be read"
        return Ending(row.id, outcome.right, None, None, missing, thought)
    reader: Reader = "judge" if by_rule is None else "rule"
    agrees = None if by_rule is None or by_judge is None else bool(kind.same(by_judge, by_rule))
    return Ending(row.id, outcome.right, bool(kind.same(end, _said(text, row, outcome))), reader, None, thought, agrees)


def _said(text: str, row: Row, outcome: Outcome) -> Any:
    """The answer as the completion says it: in the model's own frame, as its thought is, where it lies in a picture."""
    task = task_of(row)
    return outcome.said if task.to_pixels is in_place else task.answer(row).parse(answer_block(text) or "", True)


def by_rule_of(thought: str, row: Row) -> Any:
    """The answer that `thought` ends on, read by the rule of the task of `row`; None where that cannot read it."""
    task = task_of(row)
    return task.counterfactuals_of(row).ends_on(thought, row, task.answer(row))


def quadrants(read: Sequence[Ending]) -> dict[str, Any]:
    """The four cells, P(inconsistent | right), P(inconsistent | wrong), accuracy where consistent, and coverages."""
    known = [ending for ending in read if ending.consistent is not None]
    reasoning = [ending for ending in read if ending.words]
    both = [ending for ending in known if ending.rule_agrees is not None]
    cells = {
        f"{'consistent' if consistent else 'inconsistent'}_{'right' if right else 'wrong'}": rate_share(
            sum(e.consistent is consistent and e.right is right for e in known), len(known)
        )
        for consistent in (True, False)
        for right in (True, False)
    }
    lengths = sorted(ending.words for ending in reasoning)
    return {
        "n": len(read),
        "reasons": rate_share(len(reasoning), len(read)),
        "median_words": lengths[len(lengths) // 2] if lengths else None,
        "distinct_4grams": distinct_share([ending.thought for ending in reasoning]),
        "read": rate_share(len(known), len(read)),
        "read_by_rule": sum(ending.reader == "rule" for ending in known),
        "read_by_judge": sum(ending.reader == "judge" for ending in known),
        "rule_agrees": rate_share(sum(bool(ending.rule_agrees) for ending in both), len(both)),
        "missing": {
            reason: sum(ending.missing == reason for ending in read)
            for reason in dict.fromkeys(ending.missing for ending in read if ending.missing)
        },
        "cells": cells,
        "inconsistent": _inconsistent(known),
        "inconsistent_if_right": _inconsistent([ending for ending in known if ending.right]),
        "inconsistent_if_wrong": _inconsistent([ending for ending in known if not ending.right]),
        "right_if_consistent": rate_share(
            sum(ending.right for ending in known if ending.consistent), sum(bool(e.consistent) for e in known)
        ),
    }


def compared(first: Sequence[Ending], second: Sequence[Ending]) -> dict[str, Any]:
    """Exact McNemar test on inconsistency, over the rows whose ending is known of both arms.

    `b` rows only the first is inconsistent on, `c` only the second.
    """
    of = {ending.id: ending.consistent for ending in second if ending.consistent is not None}
    pairs = [(e.consistent, of[e.id]) for e in first if e.consistent is not None and e.id in of]
    b, c = pairs.count((False, True)), pairs.count((True, False))
    return {"n": len(pairs), "b": b, "c": c, "mcnemar_p": mcnemar_exact(b, c)}


def _inconsistent(known: Sequence[Ending]) -> dict[str, Any] | None:
    return rate_share(sum(not ending.consistent for ending in known), len(known))
