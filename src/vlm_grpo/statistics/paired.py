"""Two arms on the same rows: discordant counts, the exact McNemar test, Holm's correction for several tests.

Only the rows on which the arms disagree say which one is better; the exact test asks whether those could have fallen
like a fair coin. Arms scored on different rows are refused, never intersected. On `scipy.special` alone: statsmodels
and `scipy.stats` have the same tests, and the tests compare with them, but take more than a second to import.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scipy.special import betainc

from vlm_grpo.errors import UserError


class PairedCounts(NamedTuple):
    """The four cells of the paired table: rows that both, only the first, only the second, or neither got right.

    `b` and `c` are McNemar's usual names of the discordant cells.
    """

    both: int
    b: int
    c: int
    neither: int

    @property
    def n(self) -> int:
        """Number of rows compared."""
        return sum(self)

    @property
    def difference(self) -> float:
        """Accuracy of the second arm minus that of the first, a fraction in [-1, 1]."""
        return (self.c - self.b) / self.n


def paired_counts(first: Mapping[str, bool], second: Mapping[str, bool]) -> PairedCounts:
    """Count the four cells over two outcomes by row id (True: right).

    `UserError` when the row ids differ, or when there are none.
    """
    only_first, only_second = first.keys() - second.keys(), second.keys() - first.keys()
    if only_first or only_second:
        example = min(only_first or only_second)
        raise UserError(
            f"the two arms were scored on different rows ({len(only_first)} only in the first, {len(only_second)} only "
            f"in the second, for example {example!r}); evaluate both on the same split"
        )
    if not first:
        raise UserError("there are no rows to compare")
    pairs = [(right, second[row]) for row, right in first.items()]
    return PairedCounts(
        both=sum(a and b for a, b in pairs),
        b=sum(a and not b for a, b in pairs),
        c=sum(b and not a for a, b in pairs),
        neither=sum(not a and not b for a, b in pairs),
    )


def mcnemar_exact(b: int, c: int) -> float:
    """Two-sided p of the exact McNemar test for discordant counts `b` and `c`; 1.0 when there are none.

    The binomial tail is an incomplete beta integral, which stays exact where a sum over counts overflows.

    >>> round(mcnemar_exact(39, 20), 3)
    0.018
    """
    if b < 0 or c < 0:
        raise ValueError(f"discordant counts {b} and {c} must not be negative")
    if b == c:
        return 1.0
    return min(1.0, 2 * float(betainc(max(b, c), min(b, c) + 1, 0.5)))


def holm(pvalues: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values, in the order given (Holm 1979): compare each with the level itself.

    `ValueError` for what is no p-value: NaN, or a number outside [0, 1]. No tests have no p-values.
    """
    for p in pvalues:
        if not 0 <= p <= 1:
            raise ValueError(f"{p} is not a p-value")
    ascending = sorted(range(len(pvalues)), key=pvalues.__getitem__)
    adjusted = [0.0] * len(pvalues)
    largest = 0.0
    for rank, index in enumerate(ascending):
        largest = max(largest, min(1.0, (len(pvalues) - rank) * pvalues[index]))
        adjusted[index] = largest
    return adjusted
