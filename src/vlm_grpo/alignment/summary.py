"""The numbers of an alignment table: one row per (split, model), one paired comparison per split and outcome.

Counting rules, as in evaluation: accuracy is right answers over all items (an answer that cannot be read is not right,
and how many were read stands beside it); rates of misalignment, quadrants and reliable accuracy are over the items with
a verdict. All rates are fractions in [0, 1].
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from vlm_grpo.alignment.items import JudgedItem, JudgedSplit
from vlm_grpo.statistics.bootstrap import paired_bootstrap
from vlm_grpo.statistics.intervals import Interval, wilson
from vlm_grpo.statistics.paired import PairedCounts, holm, mcnemar_exact, paired_counts

QUADRANTS = ("correct_aligned", "correct_misaligned", "wrong_aligned", "wrong_misaligned")


@dataclass(frozen=True, slots=True)
class Proportion:
    """`k` of `n` with Wilson's 95 % interval; `n` may be 0, and then there is neither rate nor interval."""

    k: int
    n: int

    @property
    def rate(self) -> float | None:
        """`k / n`, a fraction."""
        return self.k / self.n if self.n else None

    @property
    def interval(self) -> Interval | None:
        """Wilson's interval of the rate."""
        return wilson(self.k, self.n) if self.n else None


@dataclass(frozen=True, slots=True)
class Summary:
    """One row of the table.

    `types` counts the misaligned by kind (empty when the judge was asked for none). `reliable` is
    reliability-conditioned accuracy: the answer is right and the reasoning entails it.
    """

    split: str
    model: str
    judge: str
    answer_rule: str
    total: int
    answers_read: int
    accuracy: Proportion
    misaligned: Proportion
    types: dict[str, int]
    quadrants: dict[str, int]
    reliable: Proportion
    notes: tuple[str, ...]

    @property
    def coverage(self) -> float:
        """Share of items with a verdict."""
        return self.misaligned.n / self.total


@dataclass(frozen=True, slots=True)
class Comparison:
    """The paired 2x2 of one outcome: `counts` (both, only the first model, only the second, neither).

    `p` is exact McNemar, `p_holm` the same adjusted over the comparisons of this outcome in the table; `difference` is
    second minus first with its item-paired bootstrap interval (None where no item's difference is another's).
    """

    split: str
    outcome: str
    first: str
    second: str
    counts: PairedCounts
    difference: float
    interval: Interval | None
    p: float
    p_holm: float


@dataclass(frozen=True, slots=True)
class Difference:
    """One printed figure beside the published one: `ours - published` (0: equal), in the figure's unit."""

    figure: str
    published: float
    difference: float

    def __str__(self) -> str:
        if not self.difference:
            return "= published"
        return f"differs by {self.difference:+g} from the published {self.published:g}"


def summarise(split: JudgedSplit) -> list[Summary]:
    """One `Summary` per model of `split`."""
    return [_summary(split, model) for model in split.models]


def _summary(split: JudgedSplit, model: str) -> Summary:
    items = split.of(model)
    judged = [item for item in items if item.aligns is not None]
    types = Counter(item.type for item in judged)
    cells = Counter((bool(item.correct), bool(item.aligns)) for item in judged)
    order = ((True, True), (True, False), (False, True), (False, False))
    return Summary(
        split=split.split,
        model=model,
        judge=split.judge,
        answer_rule=split.answer_rule,
        total=len(items),
        answers_read=sum(item.correct is not None for item in items),
        accuracy=Proportion(sum(bool(item.correct) for item in items), len(items)),
        misaligned=Proportion(sum(item.aligns is False for item in judged), len(judged)),
        types={kind: types[kind] for kind in split.kinds},
        quadrants=dict(zip(QUADRANTS, (cells[cell] for cell in order), strict=True)),
        reliable=Proportion(cells[True, True], len(judged)),
        notes=split.notes,
    )


def _misaligned(item: JudgedItem) -> bool | None:
    return None if item.aligns is None else not item.aligns


def _correct(item: JudgedItem) -> bool | None:
    return bool(item.correct)


def _reliable(item: JudgedItem) -> bool | None:
    return None if item.aligns is None else item.aligns and bool(item.correct)


OUTCOMES: dict[str, Callable[[JudgedItem], bool | None]] = {
    "misaligned": _misaligned,
    "correct": _correct,
    "correct and aligned": _reliable,
}


def compare(splits: Sequence[JudgedSplit], *, seed: int, resamples: int = 10_000) -> list[Comparison]:
    """Compare the first two models of each split on the items both have, for each outcome.

    Splits with one model are passed over. Holm's family is the comparisons of one outcome over all splits.
    """
    comparisons = []
    for outcome, value in OUTCOMES.items():
        family = [c for split in splits if (c := _comparison(split, outcome, value, seed, resamples)) is not None]
        adjusted = holm([c.p for c in family])
        comparisons += [replace(c, p_holm=p) for c, p in zip(family, adjusted, strict=True)]
    return comparisons


def _comparison(
    split: JudgedSplit, outcome: str, value: Callable[[JudgedItem], bool | None], seed: int, resamples: int
) -> Comparison | None:
    if len(split.models) < 2:
        return None
    first, second = (
        {item.item: v for item in split.of(model) if (v := value(item)) is not None} for model in split.models[:2]
    )
    shared = [item for item in first if item in second]
    if not shared:
        return None
    a, b = ({item: arm[item] for item in shared} for arm in (first, second))
    counts = paired_counts(a, b)
    p = mcnemar_exact(counts.b, counts.c)
    return Comparison(
        split=split.split,
        outcome=outcome,
        first=split.models[0],
        second=split.models[1],
        counts=counts,
        difference=counts.difference,
        interval=paired_bootstrap([a[i] for i in shared], [b[i] for i in shared], seed=seed, resamples=resamples),
        p=p,
        p_holm=p,
    )
