"""How far a judge agrees with human labels, with another judge, and with itself.

Raters are maps from (item, model) to a class: "aligned", or a kind of misalignment, or "misaligned" where the judge is
asked for no kind. Items that one of two raters leaves out are not compared, and counted.

    python -m vlm_grpo.paper.agreement_command --help
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from vlm_grpo.alignment.fields import check_fields, item_id
from vlm_grpo.alignment.sources import kinds_of, read_rows
from vlm_grpo.errors import UserError
from vlm_grpo.statistics.agreement import Labelled, kappa, prediction_powered, rogan_gladen
from vlm_grpo.statistics.intervals import Estimate
from vlm_grpo.store import jsonl
from vlm_grpo.tables import Table
from vlm_grpo.verdicts.kinds import Kinds

ALIGNED, MISALIGNED = "aligned", "misaligned"
OTHER = "other"
"""The kind of what is misaligned and says no type."""
Key = tuple[str, str]
Rater = Mapping[Key, str]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two raters over the classes `classes`: `table[i][j]` items that are i for the first and j for the second."""

    first: str
    second: str
    classes: tuple[str, ...]
    table: tuple[tuple[int, ...], ...]
    left_out: int
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """Items compared."""
        return sum(map(sum, self.table))

    @property
    def agreeing(self) -> int:
        """Items on which the raters agree."""
        return sum(self.table[i][i] for i in range(len(self.classes)))

    @property
    def kappa(self) -> Estimate | None:
        """Cohen's kappa with its 95 % interval; None where a rater used one class only."""
        return kappa(self.table) if self.n else None

    def of_class(self, name: str) -> float | None:
        """Specific agreement on one class: twice the items both put there over all that either does."""
        i = self.classes.index(name)
        either = sum(self.table[i]) + sum(row[i] for row in self.table)
        return 2 * self.table[i][i] / either if either else None


@dataclass(frozen=True, slots=True)
class Corrected:
    """The judge's misaligned rate over all items, and what it stands for given a labelled sample of them."""

    judge: str
    human: str
    misaligned: int
    n: int
    sample: Labelled
    rogan_gladen: Estimate | None
    prediction_powered: Estimate | None


def compare(first: str, a: Rater, second: str, b: Rater, *, kinds: Iterable[str] = ()) -> Agreement:
    """Compare two raters on the items both rated; `kinds`, all that either knows, are kept apart, else one class."""
    shared = a.keys() & b.keys()
    if not shared:
        raise UserError(f"{first} and {second} have no item in common")
    by_type = (ALIGNED, *kinds)
    classes = by_type if len(by_type) > 1 else (ALIGNED, MISALIGNED)
    counts = [[0] * len(classes) for _ in classes]
    for key in shared:
        i, j = (classes.index(value if value in classes else MISALIGNED) for value in (a[key], b[key]))
        counts[i][j] += 1
    return Agreement(first, second, classes, tuple(map(tuple, counts)), len(a.keys() ^ b.keys()))


def correct(judge: str, verdicts: Rater, human: str, labels: Rater) -> Corrected:
    """Correct the judge's misaligned rate by a labelled random sample of its items."""
    outside = labels.keys() - verdicts.keys()
    if outside:
        raise UserError(f"{human} labelled {len(outside)} items that {judge} did not judge, for example {min(outside)}")
    pairs = [(verdicts[key] != ALIGNED, labels[key] != ALIGNED) for key in labels]
    sample = Labelled(
        tp=pairs.count((True, True)),
        fp=pairs.count((True, False)),
        fn=pairs.count((False, True)),
        tn=pairs.count((False, False)),
    )
    return correct_counts(judge, human, sum(v != ALIGNED for v in verdicts.values()), len(verdicts), sample)


def correct_counts(judge: str, human: str, misaligned: int, n: int, sample: Labelled) -> Corrected:
    """The same from counts; `misaligned` of `n` includes the sample."""
    return Corrected(
        judge,
        human,
        misaligned,
        n,
        sample,
        rogan_gladen(misaligned, n, sample),
        prediction_powered(misaligned - sample.tp - sample.fp, n - sample.n, sample),
    )


def read_judge(path: Path) -> dict[int, dict[Key, str]]:
    """The classes of a verdict file (ours or the original's) by repeat; missing verdicts are left out."""
    kinds = kinds_of(path)
    raters: dict[int, dict[Key, str]] = {}
    seen: set[tuple[int, Key]] = set()
    for where, row in read_rows(path):
        check_fields(row, where, "model", "aligns")
        key, repeat = (item_id(row, where), row["model"]), row.get("repeat", 0)
        if (repeat, key) in seen:
            raise UserError(f"{where}: item {key[0]!r} of {key[1]} occurs twice; remove one of them")
        seen.add((repeat, key))
        rater = raters.setdefault(repeat, {})
        if row["aligns"] is not None:
            rater[key] = class_of(row, kinds, where)
    return raters


def read_labels(path: Path, kinds: Kinds) -> dict[str, dict[Key, str]]:
    """The classes that `alignment_judge/label.py` recorded, by annotator; a later label replaces an earlier one, one
    that is `undone` takes it back.

    `kinds` are those of the judge; without any, all that is misaligned is one class.
    """
    labels: dict[str, dict[Key, str]] = {}
    for number, row in jsonl.read_input(path):
        where = f"{path} line {number}"
        check_fields(row, where, "row_id", "model", "annotator", "aligns")
        of_annotator = labels.setdefault(row["annotator"], {})
        of_annotator[str(row["row_id"]), row["model"]] = class_of(row, kinds, where)
        if row.get("undone"):
            del of_annotator[str(row["row_id"]), row["model"]]
    labels = {annotator: given for annotator, given in labels.items() if given}
    if not labels:
        raise UserError(f"{path} holds no label; make some with alignment_judge/label.py")
    return labels


def class_of(row: Mapping[str, Any], kinds: Kinds, where: str) -> str:
    """The class that a verdict or a label puts its item into; `UserError` opened by `where` where it names none."""
    if not isinstance(row["aligns"], bool):
        raise UserError(f"{where}: aligns is {row['aligns']!r}, expected true or false")
    if row["aligns"]:
        return ALIGNED
    if not kinds:
        return MISALIGNED
    kind = row.get("type") or OTHER
    if kind not in kinds:
        raise UserError(f"{where}: unknown type {row.get('type')!r}; known: {', '.join(kinds)}")
    return str(kind)


def pairs_of(raters: Mapping[str, Rater]) -> list[Agreement]:
    """Compare every two raters, misaligned as one class."""
    return [compare(a, raters[a], b, raters[b]) for a, b in combinations(raters, 2)]


def agreement_table(agreement: Agreement) -> Table:
    """Confusion matrix, agreement per class and kappa for reading."""
    lines = [
        (name, *(str(count) for count in row), _share(agreement.of_class(name)))
        for name, row in zip(agreement.classes, agreement.table, strict=True)
    ]
    shown = shown_estimate(agreement.kappa)
    share = 100 * agreement.agreeing / agreement.n
    return Table(
        f"{agreement.first} (rows) against {agreement.second} (columns)",
        ("", *agreement.classes, "agreement on the class"),
        tuple(lines),
        (
            f"agree on {agreement.agreeing} of {agreement.n} = {share:.1f} %; Cohen's kappa {shown}",
            f"{agreement.left_out} items were rated by one of the two only and are left out",
            *agreement.notes,
        ),
    )


def corrected_table(rates: Corrected) -> Table:
    """The raw rate and both corrections for reading."""
    s = rates.sample
    return Table(
        f"misaligned rate of {rates.judge}, corrected by {rates.human}",
        ("estimate", "rate", "95 % interval"),
        (
            (f"as judged: {rates.misaligned} of {rates.n}", f"{100 * rates.misaligned / rates.n:.2f} %", ""),
            ("Rogan-Gladen", *shown_rate(rates.rogan_gladen)),
            ("prediction-powered", *shown_rate(rates.prediction_powered)),
        ),
        (
            f"sample of {s.n}: judged misaligned and confirmed {s.tp} of {s.tp + s.fp}; judged aligned and confirmed "
            f"{s.tn} of {s.tn + s.fn}",
            "both corrections take the labels as right and the sample as random",
        ),
    )


def shown_estimate(value: Estimate | None, *, none: str = "undefined, as one of them uses one class only") -> str:
    """A kappa with its interval, for reading, or `none`."""
    if value is None:
        return none
    return f"{value.value:.3f} [{value.interval.low:.3f}, {value.interval.high:.3f}]"


def shown_rate(estimate: Estimate | None) -> tuple[str, str]:
    """A corrected rate and its interval, for reading."""
    if estimate is None:
        return "undefined", "the sample lacks a class, does not tell the judge from chance, or contradicts its rate"
    return f"{100 * estimate.value:.2f} %", f"[{100 * estimate.interval.low:.2f}, {100 * estimate.interval.high:.2f}]"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"
