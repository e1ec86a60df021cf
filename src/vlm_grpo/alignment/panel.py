"""Two and more judges on the same items: Fleiss' kappa, strict agreement, and every two of them against each other."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vlm_grpo.alignment.agreement import ALIGNED, MISALIGNED, Rater, shown_estimate
from vlm_grpo.errors import UserError
from vlm_grpo.statistics.intervals import Estimate, Interval, wilson
from vlm_grpo.statistics.panels import fleiss_kappa
from vlm_grpo.tables import Table


@dataclass(frozen=True, slots=True)
class Panel:
    """Raters over the items that all of them rated; `strict` of these are in one class for all, by class."""

    raters: tuple[str, ...]
    classes: tuple[str, ...]
    n: int
    strict: Mapping[str, int]
    fleiss: Estimate | None
    left_out: int

    @property
    def agreeing(self) -> int:
        """Items that all raters put into one class."""
        return sum(self.strict.values())

    @property
    def interval(self) -> Interval:
        """Wilson's 95 % interval of the strict agreement."""
        return wilson(self.agreeing, self.n)


def panel_of(raters: Mapping[str, Rater], *, kinds: Iterable[str] = ()) -> Panel:
    """All `raters` together on the items that each of them rated; `kinds` are kept apart, else misaligned is one class.

    The interval of Fleiss' kappa draws the answers of several models to one row together.
    """
    of_each = list(raters.values())
    keys = sorted(set.intersection(*(set(rater) for rater in of_each)))
    if not keys:
        raise UserError(f"{', '.join(raters)} have no item that each of them judged")
    by_type = (ALIGNED, *kinds)
    classes = by_type if len(by_type) > 1 else (ALIGNED, MISALIGNED)
    rated = [[rater[key] if rater[key] in classes else MISALIGNED for rater in of_each] for key in keys]
    counts = [[given.count(name) for name in classes] for given in rated]
    strict = {name: sum(given.count(name) == len(of_each) for given in rated) for name in classes}
    fleiss = fleiss_kappa(counts, clusters=[row for row, _ in keys])
    left_out = len(set.union(*(set(rater) for rater in of_each))) - len(keys)
    return Panel(tuple(raters), classes, len(keys), strict, fleiss, left_out)


def panel_table(panel: Panel) -> Table:
    """The panel for reading."""
    low, high = (100 * end for end in panel.interval)
    share = f"{panel.agreeing} of {panel.n} = {100 * panel.agreeing / panel.n:.1f} % [{low:.1f}, {high:.1f}]"
    return Table(
        f"{len(panel.raters)} judges on the same items, {' / '.join(panel.classes)}",
        ("", "value"),
        (
            ("Fleiss' kappa", shown_estimate(panel.fleiss, none="undefined, as nothing differs")),
            ("strict agreement", share),
            *((f"  all say {name}", str(count)) for name, count in panel.strict.items()),
        ),
        (
            f"judges: {', '.join(panel.raters)}",
            f"{panel.left_out} items were not judged by all and are left out",
            "Fleiss' kappa: 95 % interval over resampled rows",
        ),
    )
