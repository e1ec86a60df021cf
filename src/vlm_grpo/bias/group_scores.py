"""What one arm did on rows that agree with the shortcut and on rows that oppose it.

The headline is the gap: accuracy on agreeing rows less accuracy on opposing ones. A model that does not use the
shortcut has none; one that follows it everywhere has a gap of 1. An answer that cannot be read is not right, as
everywhere in this package; how many could be read is told beside.
"""

from collections.abc import Sequence
from typing import Any

from vlm_grpo.bias.answered import Answer, BiasArm
from vlm_grpo.bias.marks import AGREEING, GROUPS, OPPOSING
from vlm_grpo.errors import UserError
from vlm_grpo.statistics.bootstrap import paired_bootstrap, two_sample_bootstrap
from vlm_grpo.statistics.intervals import Interval, newcombe, wilson

NEWCOMBE = "Newcombe's interval (different rows)"
PAIRED = "paired bootstrap (the same rows with either cue)"


def arm_scores(arm: BiasArm, *, seed: int) -> dict[str, Any]:
    """All numbers of one arm, ready for `bias.json`. `seed` is the bootstrap's, where one is needed.

    `overall`, the groups and `suggested` are `share`s, None where there are no rows. `overall` is of every row once:
    those without the cue where rows are asked with it too. `suggested` is of the rows of which the shortcut says
    something, unless they are asked twice. `gap` is None where a group is empty. `follows_shortcut` is the share of
    answers that are the shortcut's, over the answers where it says something.
    """
    answers = list(arm.answers.values())
    decided = [answer for answer in answers if answer.says is not None]
    return {
        "family": arm.name.family,
        "method": arm.name.method,
        "level": arm.name.level,
        "seed": arm.name.seed,
        "overall": share(list(arm.overall.values())),
        "groups": {group: share([a for a in answers if a.group == group]) for group in GROUPS},
        "suggested": share(list(arm.suggested.values())),
        "gap": gap(arm, seed=seed),
        "follows_shortcut": _proportion(sum(a.said is a.says for a in decided), len(decided)),
    }


def share(answers: Sequence[Answer]) -> dict[str, Any] | None:
    """Accuracy with Wilson's interval, the parse rate, and how often True is said, is right, and is the shortcut's."""
    if not answers:
        return None
    n, correct = len(answers), sum(answer.is_right for answer in answers)
    interval = wilson(correct, n)
    parsed = sum(answer.said is not None for answer in answers)
    decided = [answer for answer in answers if answer.says is not None]
    return {
        "n": n,
        "correct": correct,
        "accuracy": correct / n,
        "ci_low": interval.low,
        "ci_high": interval.high,
        "parsed": parsed,
        "parse_rate": parsed / n,
        "predicted_true": _proportion(sum(answer.said is True for answer in answers), n),
        "label_true": _proportion(sum(answer.label for answer in answers), n),
        "shortcut_true": _proportion(sum(answer.says is True for answer in decided), len(decided)),
    }


def gap(arm: BiasArm, *, seed: int) -> dict[str, Any] | None:
    """Accuracy on agreeing rows less accuracy on opposing rows, with its 95 % interval and the name of the method."""
    agreeing, opposing = arm.right(AGREEING), arm.right(OPPOSING)
    if not agreeing or not opposing:
        return None
    value = sum(agreeing.values()) / len(agreeing) - sum(opposing.values()) / len(opposing)
    if is_paired(arm):
        ids = sorted(opposing)
        interval = paired_bootstrap([opposing[id] for id in ids], [agreeing[id] for id in ids], seed=seed)
    else:
        interval = newcombe((sum(opposing.values()), len(opposing)), (sum(agreeing.values()), len(agreeing)))
    return _estimate(value, interval, PAIRED if is_paired(arm) else NEWCOMBE)


def gap_change(first: BiasArm, second: BiasArm, *, seed: int) -> dict[str, Any] | None:
    """The second arm's gap less the first's, over the same rows, with a bootstrap interval that keeps arms paired."""
    changes = {}
    for group in (AGREEING, OPPOSING):
        before, after = first.right(group), second.right(group)
        changes[group] = {id: int(after[id]) - int(before[id]) for id in sorted(before)}
        if not changes[group]:
            return None
    agreeing, opposing = changes[AGREEING], changes[OPPOSING]
    value = sum(agreeing.values()) / len(agreeing) - sum(opposing.values()) / len(opposing)
    bootstrap = paired_bootstrap if is_paired(first) else two_sample_bootstrap
    return _estimate(value, bootstrap(list(opposing.values()), list(agreeing.values()), seed=seed), "bootstrap")


def is_paired(arm: BiasArm) -> bool:
    """Whether agreeing and opposing rows are the same questions; `UserError` when only some of them are."""
    agreeing, opposing = arm.right(AGREEING).keys(), arm.right(OPPOSING).keys()
    shared = agreeing & opposing
    if shared and agreeing != opposing:
        raise UserError(
            f"arm {arm.name}: {len(shared)} rows are both agreeing and opposing, others are one of them; evaluate the "
            "cued and the counter-biased split on the same rows"
        )
    return bool(shared)


def _proportion(k: int, n: int) -> dict[str, Any] | None:
    if not n:
        return None
    interval = wilson(k, n)
    return {"k": k, "n": n, "rate": k / n, "ci_low": interval.low, "ci_high": interval.high}


def _estimate(value: float, interval: Interval, method: str) -> dict[str, Any]:
    return {"value": value, "ci_low": interval.low, "ci_high": interval.high, "interval": method}
