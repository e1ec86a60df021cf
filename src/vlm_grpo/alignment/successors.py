"""The successor of a judge that is withdrawn, calibrated on the old one's stored verdicts.

Both judged the same items, so the successor's confusion with the old judge is known, split by split. Its rate of
misaligned answers elsewhere is turned into the one the old judge would have given (Rogan and Gladen, with the old
judge's verdicts for labels): that takes the successor to err there as often, in either direction, as on the stored
items. Whether it may be taken so is seen on the stored splits themselves, each predicted from the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from vlm_grpo.alignment.agreement import ALIGNED, MISALIGNED, Agreement, Rater, compare, shown_rate
from vlm_grpo.errors import UserError
from vlm_grpo.statistics.agreement import Labelled, rogan_gladen
from vlm_grpo.statistics.intervals import Estimate, wilson
from vlm_grpo.tables import Table


@dataclass(frozen=True, slots=True)
class Predicted:
    """`misaligned` of `n` for the successor in `where`, and the share that the old judge would have given.

    `old` (misaligned, of n) is what it gave, where that is known.
    """

    where: str
    misaligned: int
    n: int
    as_old: Estimate | None
    old: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Succession:
    """The successor's verdicts against the old judge's: by split, and all `sample` of them; what follows for others."""

    successor: str
    old: str
    splits: Mapping[str, Agreement]
    sample: Labelled
    predicted: tuple[Predicted, ...]


def succession(
    successor: str, new: Mapping[str, Rater], old: str, stored: Mapping[str, Rater], *, others: Mapping[str, Rater]
) -> Succession:
    """Calibrate by the `new` verdicts on the splits of the `stored` ones; `others` are the successor's elsewhere.

    `UserError` for a verdict on an item that is not stored.
    """
    for split, rater in new.items():
        outside = rater.keys() - stored[split].keys()
        if outside:
            raise UserError(
                f"{successor} judged {len(outside)} items of {split} that {old} did not, for example {min(outside)}; "
                "row and model are to be named as in the stored verdicts (0, base)"
            )
    samples = {split: _sample(rater, stored[split]) for split, rater in new.items()}
    whole = _pooled(list(samples.values()))
    predicted = []
    for split, sample in samples.items():
        rest = [other for name, other in samples.items() if name != split]
        if rest:
            judged, gave = sample.tp + sample.fp, (sample.tp + sample.fn, sample.n)
            as_old = rogan_gladen(judged, sample.n, _pooled(rest))
            predicted.append(Predicted(f"{split}, from the others", judged, sample.n, as_old, gave))
    for where, rater in others.items():
        judged = sum(value != ALIGNED for value in rater.values())
        predicted.append(Predicted(where, judged, len(rater), rogan_gladen(judged, len(rater), whole)))
    splits = {split: compare(old, stored[split], successor, rater) for split, rater in new.items()}
    return Succession(successor, old, splits, whole, tuple(predicted))


def _sample(new: Rater, old: Rater) -> Labelled:
    pairs = [(new[key] != ALIGNED, old[key] != ALIGNED) for key in new]
    return Labelled(*(pairs.count(cell) for cell in ((True, True), (True, False), (False, True), (False, False))))


def _pooled(samples: list[Labelled]) -> Labelled:
    return Labelled(*(sum(counts) for counts in zip(*samples, strict=True)))


def succession_tables(made: Succession) -> list[Table]:
    """Confusion by split with intervals, and the predicted rates, for reading."""
    lines = [
        (split, *(str(count) for row in one.table for count in row), *_rates(one)) for split, one in made.splits.items()
    ]
    confusion = Table(
        f"{made.successor} on the stored verdicts of {made.old}",
        (
            "split",
            *(f"{a}, {b}" for a in (ALIGNED, MISALIGNED) for b in (ALIGNED, MISALIGNED)),
            *("agree", f"says {MISALIGNED} where the old does", f"says {MISALIGNED} where the old does not", "kappa"),
        ),
        tuple(lines),
        ("counts: old judge, successor; 95 % intervals, Wilson's for shares",),
    )
    rates = Table(
        f"misaligned rates of {made.successor}, as {made.old} would have judged",
        ("", "as judged", "as the old judge", "95 % interval", "the old judge gave"),
        tuple(
            (
                one.where,
                f"{one.misaligned} of {one.n} = {100 * one.misaligned / one.n:.2f} %",
                *shown_rate(one.as_old),
                "-" if one.old is None else f"{one.old[0]} of {one.old[1]} = {100 * one.old[0] / one.old[1]:.2f} %",
            )
            for one in made.predicted
        ),
        ("Rogan-Gladen: takes the successor to err as often as on the stored items it is corrected by",),
    )
    return [confusion, rates] if made.predicted else [confusion]


def _rates(one: Agreement) -> tuple[str, ...]:
    (tn, fp), (fn, tp) = one.table
    value = one.kappa
    return (
        _share(tn + tp, one.n),
        _share(tp, tp + fn),
        _share(fp, tn + fp),
        "-" if value is None else f"{value.value:.3f} [{value.interval.low:.3f}, {value.interval.high:.3f}]",
    )


def _share(k: int, n: int) -> str:
    if not n:
        return "-"
    low, high = wilson(k, n)
    return f"{k}/{n} = {100 * k / n:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"
