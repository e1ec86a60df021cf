"""Arms of the bias study against each other: two methods at one level, and one method at two levels.

Methods are compared on the same rows by the exact McNemar test, on all rows and on opposing rows apart. Holm's
correction is for the levels: the tests of one family, pair of methods and seed are corrected together, those on all
rows apart from those on each group. Seeds are never pooled, since they answer the same rows; `spread` tells how far
apart they lie.
"""

from collections.abc import Mapping
from itertools import combinations
from statistics import mean, stdev
from typing import Any

from vlm_grpo.bias.marks import AGREEING, GROUPS, OPPOSING
from vlm_grpo.bias.report.answered import BiasArm
from vlm_grpo.bias.report.groups import gap_change
from vlm_grpo.statistics.paired import holm, mcnemar_exact, paired_counts

ALL = "all"
REFERENCE = "0"


def method_pairs(arms: Mapping[str, BiasArm], *, seed: int) -> list[dict[str, Any]]:
    """Every two arms that differ in the method alone, the one named first first.

    `all`, `opposing`, `agreeing` and `neutral` hold `{n, b, c, difference, mcnemar_p}`: `b` rows only the first arm got
    right, `c` only the second, and `holm_p`; None without rows. `all` is over the rows of `overall` (`group_scores`).
    `gap_difference` is the second arm's gap less the first's.
    """
    pairs = []
    for (first_name, first), (second_name, second) in combinations(arms.items(), 2):
        one, other = first.name, second.name
        if one.level is None or (one.family, one.level, one.seed) != (other.family, other.level, other.seed):
            continue
        pairs.append(
            {
                "first": first_name,
                "second": second_name,
                "family": one.family,
                "level": one.level,
                "seed": one.seed,
                ALL: _mcnemar(*({id: a.is_right for id, a in arm.overall.items()} for arm in (first, second))),
                **{group: _mcnemar(first.right(group), second.right(group)) for group in GROUPS},
                "gap_difference": gap_change(first, second, seed=seed),
            }
        )
    _correct(pairs, arms)
    return pairs


def _mcnemar(first: Mapping[str, bool], second: Mapping[str, bool]) -> dict[str, Any] | None:
    if not first:
        return None
    counts = paired_counts(first, second)
    p = mcnemar_exact(counts.b, counts.c)
    return {"n": counts.n, "b": counts.b, "c": counts.c, "difference": counts.difference, "mcnemar_p": p}


def _correct(pairs: list[dict[str, Any]], arms: Mapping[str, BiasArm]) -> None:
    """Add Holm's adjusted p over the levels of each family, pair of methods and seed."""
    families: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for pair in pairs:
        methods = (arms[pair["first"]].name.method, arms[pair["second"]].name.method)
        for rows in (ALL, *GROUPS):
            if pair[rows] is not None:
                families.setdefault((rows, methods, pair["family"], pair["seed"]), []).append(pair[rows])
    for tests in families.values():
        for test, adjusted in zip(tests, holm([test["mcnemar_p"] for test in tests]), strict=True):
            test |= {"holm_p": adjusted, "holm_tests": len(tests)}


def level_changes(arms: Mapping[str, BiasArm], *, reference: str, seed: int) -> list[dict[str, Any]]:
    """How the gap of each method moves from the level `reference` to every other one, family and seed alike."""
    changes = []
    for first_name, first in arms.items():
        if first.name.level != reference:
            continue
        for second_name, second in arms.items():
            one, other = first.name, second.name
            same = (one.family, one.method, one.seed) == (other.family, other.method, other.seed)
            if same and other.level not in (None, reference):
                changes.append(
                    {
                        "first": first_name,
                        "second": second_name,
                        "gap_change": gap_change(first, second, seed=seed),
                        OPPOSING: _mcnemar(first.right(OPPOSING), second.right(OPPOSING)),
                    }
                )
    return changes


def spread(scores: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Mean and standard deviation over seeds of the gap and of the accuracy by group, for arms with several seeds."""
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for arm in scores.values():
        groups.setdefault((arm["family"], arm["method"], arm["level"]), []).append(arm)
    spreads = []
    for (family, method, level), runs in groups.items():
        if len(runs) > 1 and all(run["gap"] for run in runs):
            values = {
                "gap": [run["gap"]["value"] for run in runs],
                **{group: [run["groups"][group]["accuracy"] for run in runs] for group in (AGREEING, OPPOSING)},
            }
            moments = {name: {"mean": mean(given), "sd": stdev(given)} for name, given in values.items()}
            spreads.append({"family": family, "method": method, "level": level, "seeds": len(runs), **moments})
    return spreads
