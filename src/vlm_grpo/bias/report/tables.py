"""The tables of a bias report, from its numbers (`bias.json`)."""

from collections.abc import Mapping
from typing import Any

from vlm_grpo.bias.marks import AGREEING, NEUTRAL, OPPOSING
from vlm_grpo.bias.report.arm_names import ArmName
from vlm_grpo.bias.report.comparisons import ALL
from vlm_grpo.tables import NOTHING, Table, estimate_cell


def all_tables(report: Mapping[str, Any]) -> list[Table]:
    """Every table that has rows."""
    made = (arms_table(report), answers_table(report), pairs_table(report), changes_table(report), spread_table(report))
    return [table for table in made if table.rows]


def arms_table(report: Mapping[str, Any]) -> Table:
    """Accuracy of each arm by group, and the gap."""
    return Table(
        title=f"Accuracy on {_splits(report)}",
        header=("arm", "all rows", AGREEING, OPPOSING, "gap", NEUTRAL),
        rows=tuple(
            (
                name,
                _accuracy(arm["overall"]),
                _accuracy(arm["groups"][AGREEING]),
                _accuracy(arm["groups"][OPPOSING]),
                estimate_cell(arm["gap"], sign="+"),
                _accuracy(arm["groups"][NEUTRAL]),
            )
            for name, arm in report["arms"].items()
        ),
        notes=(
            _rows_note(report),
            "gap: accuracy on agreeing rows less that on opposing rows; 0 without use of the shortcut",
            *_interval_note(report),
            *_overall_note(report),
            "an answer that cannot be read is not right",
        ),
    )


def answers_table(report: Mapping[str, Any]) -> Table:
    """What the arms say, beside what the shortcut says and what is true."""
    return Table(
        title="Answers",
        header=("arm", "n", "read", "said True", "shortcut says True", "is True", "follows the shortcut", "reasons"),
        rows=tuple(
            (
                name,
                str(group["n"]),
                f"{group['parse_rate']:.3f}",
                *(_rate(group[which]) for which in ("predicted_true", "shortcut_true", "label_true")),
                _rate(arm["follows_shortcut"]),
                _rate(group["reasoned"]),
            )
            for name, arm in report["arms"].items()
            if (group := arm["suggested"] or arm["groups"][OPPOSING] or arm["groups"][AGREEING])
        ),
        notes=(
            "shares of the rows of which the shortcut says something; where a cue asks rows twice: of opposing rows",
            "reasons: a thought that is not empty",
        ),
    )


def pairs_table(report: Mapping[str, Any]) -> Table:
    """Methods against each other at one level."""
    return Table(
        title="Methods on the same rows",
        header=("first", "second", "rows", "n", "only first", "only second", "difference", "McNemar p", "Holm p"),
        rows=tuple(
            (
                pair["first"],
                pair["second"],
                rows,
                *(str(test[count]) for count in ("n", "b", "c")),
                f"{test['difference']:+.3f}",
                *(f"{test[p]:.2g}" for p in ("mcnemar_p", "holm_p")),
            )
            for pair in report["pairs"]
            for rows in (ALL, OPPOSING)
            if (test := pair[rows])
        ),
        notes=(
            "accuracy of the second less the first; exact two-sided test on rows that only one got right",
            "Holm adjusts for the levels of a family, pair of methods and seed",
        ),
    )


def changes_table(report: Mapping[str, Any]) -> Table:
    """Differences of gaps: between methods, and between levels."""
    between = [(pair["first"], pair["second"], pair["gap_difference"]) for pair in report["pairs"]]
    levels = [(change["first"], change["second"], change["gap_change"]) for change in report["changes"]]
    return Table(
        title="Differences of gaps",
        header=("first", "second", "second gap less first"),
        rows=tuple(
            (first, second, estimate_cell(estimate, sign="+"))
            for first, second, estimate in between + levels
            if estimate
        ),
        notes=(
            "95 % intervals, arms paired on each row: "
            + " and ".join(sorted({estimate["interval"] for *_, estimate in between + levels if estimate})),
        ),
    )


def spread_table(report: Mapping[str, Any]) -> Table:
    """Mean and standard deviation over seeds."""
    return Table(
        title="Seeds",
        header=("arm", "seeds", *(f"{what}: mean (sd)" for what in ("gap", AGREEING, OPPOSING))),
        rows=tuple(
            (
                str(ArmName(over_seeds["family"], over_seeds["method"], over_seeds["level"], seed=None)),
                str(over_seeds["seeds"]),
                f"{over_seeds['gap']['mean']:+.3f} ({over_seeds['gap']['sd']:.3f})",
                *(f"{over_seeds[group]['mean']:.3f} ({over_seeds[group]['sd']:.3f})" for group in (AGREEING, OPPOSING)),
            )
            for over_seeds in report["spread"]
        ),
    )


def _splits(report: Mapping[str, Any]) -> str:
    return " and ".join(report["splits"])


def _rows_note(report: Mapping[str, Any]) -> str:
    """How many rows were asked, and whether that is all of them."""
    parts = []
    for split, rows in report["splits"].items():
        drawn = "" if rows["n"] == rows["of"] else f" of {rows['of']}, drawn with seed {rows['seed']}"
        parts.append(f"{split}: {rows['n']} rows{drawn or ', all of them'}")
    groups = ", ".join(f"{count} {group}" for group, count in report["groups"].items())
    return f"{'; '.join(parts)} ({groups})"


def _interval_note(report: Mapping[str, Any]) -> tuple[str, ...]:
    methods = {arm["gap"]["interval"] for arm in report["arms"].values() if arm["gap"]}
    return (f"95 % intervals: Wilson's for accuracy; for the gap {' and '.join(sorted(methods))}",) if methods else ()


def _overall_note(report: Mapping[str, Any]) -> tuple[str, ...]:
    """What all rows are where each is asked in several splits."""
    wholes = {arm["overall"]["n"] for arm in report["arms"].values() if arm["overall"]}
    is_several = bool(wholes) and max(wholes) < sum(report["groups"].values())
    return ("all rows: each once, without the cue",) if is_several else ()


def _accuracy(share: Mapping[str, Any] | None) -> str:
    if share is None:
        return NOTHING
    return f"{share['accuracy']:.3f} ({share['ci_low']:.3f} to {share['ci_high']:.3f})"


def _rate(share: Mapping[str, Any] | None) -> str:
    return NOTHING if share is None else f"{share['rate']:.3f}"
