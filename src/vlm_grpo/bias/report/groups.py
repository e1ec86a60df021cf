"""What one arm did on rows that agree with the shortcut and on rows that oppose it.

The headline is the gap: accuracy on agreeing rows less accuracy on opposing ones. A model that does not use the
shortcut has none; one that follows it everywhere has a gap of 1. An answer that cannot be read is not right, as
everywhere in this package; how many could be read is told beside.
"""

from collections.abc import Sequence
from typing import Any

from vlm_grpo.bias.marks import AGREEING, GROUPS, OPPOSING
from vlm_grpo.bias.report.answered import Answer, BiasArm
from vlm_grpo.errors import UserError
from vlm_grpo.statistics.bootstrap import paired_bootstrap
from vlm_grpo.statistics.intervals import Estimate, Interval, difference, newcombe, newcombe_paired
from vlm_grpo.statistics.paired import PairedCounts, paired_counts
from vlm_grpo.statistics.shares import accuracy_share, rate_share

NEWCOMBE = "Newcombe's interval (different rows)"
PAIRED = "Newcombe's paired interval (the same rows with either cue)"
COMBINED = "Newcombe's paired intervals of both groups, combined"
BOOTSTRAP = "bootstrap over rows, each with both cues and both arms"


def arm_scores(arm: BiasArm) -> dict[str, Any]:
    """All numbers of one arm, ready for `bias.json`.

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
        "gap": gap(arm),
        "follows_shortcut": rate_share(sum(a.said is a.says for a in decided), len(decided)),
    }


def share(answers: Sequence[Answer]) -> dict[str, Any] | None:
    """Accuracy with Wilson's interval, and how often an answer is read, is True, should be, and follows reasoning."""
    if not answers:
        return None
    n = len(answers)
    parsed = sum(answer.said is not None for answer in answers)
    decided = [answer for answer in answers if answer.says is not None]
    return {
        **accuracy_share(sum(answer.is_right for answer in answers), n),
        "parsed": parsed,
        "parse_rate": parsed / n,
        "predicted_true": rate_share(sum(answer.said is True for answer in answers), n),
        "label_true": rate_share(sum(answer.label for answer in answers), n),
        "shortcut_true": rate_share(sum(answer.says is True for answer in decided), len(decided)),
        "reasoned": rate_share(sum(answer.reasons for answer in answers), n),
    }


def gap(arm: BiasArm) -> dict[str, Any] | None:
    """Accuracy on agreeing rows less accuracy on opposing rows, with its 95 % interval and the name of the method."""
    agreeing, opposing = arm.right(AGREEING), arm.right(OPPOSING)
    if not agreeing or not opposing:
        return None
    value = sum(agreeing.values()) / len(agreeing) - sum(opposing.values()) / len(opposing)
    if is_paired(arm):
        interval = newcombe_paired(*paired_counts(opposing, agreeing))
    else:
        interval = newcombe((sum(opposing.values()), len(opposing)), (sum(agreeing.values()), len(agreeing)))
    return _estimate(value, interval, PAIRED if is_paired(arm) else NEWCOMBE)


def gap_change(first: BiasArm, second: BiasArm, *, seed: int) -> dict[str, Any] | None:
    """The second arm's gap less the first's, over the same rows, with an interval that keeps arms paired.

    None where a group is empty. Where a cue asks the same rows on either side, the interval is a bootstrap's with
    `seed`; its ends are None where no row's change differs from another's, which leaves nothing to draw from.
    """
    if not all(arm.right(group) for arm in (first, second) for group in (AGREEING, OPPOSING)):
        return None
    agreeing, opposing = (paired_counts(first.right(group), second.right(group)) for group in (AGREEING, OPPOSING))
    value = agreeing.difference - opposing.difference
    if not is_paired(first):
        return _estimate(value, difference(_change(opposing), _change(agreeing)), COMBINED)
    return _estimate(value, paired_bootstrap(_row_gaps(first), _row_gaps(second), seed=seed), BOOTSTRAP)


def _change(counts: PairedCounts) -> Estimate:
    return Estimate(counts.difference, newcombe_paired(*counts))


def _row_gaps(arm: BiasArm) -> list[int]:
    """Right with the cue on the label's side less right with it on the other, of each row in the order of their ids."""
    agreeing, opposing = arm.right(AGREEING), arm.right(OPPOSING)
    return [agreeing[id] - opposing[id] for id in sorted(agreeing)]


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


def _estimate(value: float, interval: Interval | None, method: str) -> dict[str, Any]:
    low, high = interval or (None, None)
    return {"value": value, "ci_low": low, "ci_high": high, "interval": method}
