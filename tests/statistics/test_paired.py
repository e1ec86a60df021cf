from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from statsmodels.stats.contingency_tables import mcnemar

from vlm_grpo.errors import UserError
from vlm_grpo.statistics.paired import PairedCounts, holm, mcnemar_exact, paired_counts


@pytest.mark.parametrize(
    "b, c, p", [(39, 20, 0.018), (68, 27, 3.1e-5), (56, 25, 7.5e-4)]
)  # reference, section 11.1: aligned under the base only, under GRPO only; test, train, validation
def test_published_pairs(b, c, p):
    assert mcnemar_exact(b, c) == pytest.approx(p, rel=0.03)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_fair_coin_tail(b, c):
    n, least = b + c, min(b, c)
    tail = 2 * sum(comb(n, k) for k in range(least + 1)) / 2**n
    assert mcnemar_exact(b, c) == pytest.approx(min(1.0, tail))
    assert mcnemar_exact(b, c) == mcnemar_exact(c, b)
    assert mcnemar_exact(b, c) == pytest.approx(mcnemar([[7, b], [c, 7]], exact=True).pvalue)


def test_no_disagreement_is_no_evidence():
    assert mcnemar_exact(0, 0) == 1.0


def test_negative_counts_are_a_bug():
    with pytest.raises(ValueError, match="negative"):
        mcnemar_exact(-1, 3)


def test_counts_of_every_cell():
    first = {"a": True, "b": True, "c": False, "d": False, "e": True}
    second = {"e": False, "d": False, "c": True, "b": True, "a": True}
    counts = paired_counts(first, second)
    assert counts == PairedCounts(both=2, b=1, c=1, neither=1)
    assert counts.n == 5
    assert counts.difference == 0


@given(st.dictionaries(st.text(max_size=3), st.tuples(st.booleans(), st.booleans()), min_size=1))
def test_difference_is_that_of_the_accuracies(outcomes):
    first = {row: pair[0] for row, pair in outcomes.items()}
    second = {row: pair[1] for row, pair in outcomes.items()}
    counts = paired_counts(first, second)
    assert counts.n == len(outcomes)
    assert counts.difference == pytest.approx((sum(second.values()) - sum(first.values())) / len(outcomes))


def test_other_rows_are_refused():
    with pytest.raises(UserError, match=r"1 only in the first, 2 only in the second, for example 'a'"):
        paired_counts({"a": True, "z": True}, {"z": True, "x": True, "y": True})


def test_nothing_to_compare_is_refused():
    with pytest.raises(UserError, match="no rows"):
        paired_counts({}, {})


@pytest.mark.parametrize("b, c", [(10**6, 10**6 + 2500), (10**9, 10**9 + 5), (10**9, 10**9), (0, 1), (0, 2)])
def test_mcnemar_is_all_but_the_middle_however_large_the_counts(b, c):
    middle = binom.pmf(range(b + 1, c), b + c, 0.5).sum()
    assert mcnemar_exact(b, c) == pytest.approx(1 - middle, abs=1e-9)
    assert mcnemar_exact(b, c) == mcnemar_exact(c, b) <= 1
    assert mcnemar_exact(0, 10**9) == 0


@pytest.mark.parametrize("p", [float("nan"), -0.1, 1.1, float("inf")])
def test_holm_takes_p_values_only(p):
    with pytest.raises(ValueError, match="not a p-value"):
        holm([0.2, p, 0.1])


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_its_definition_in_any_order(pvalues):
    adjusted = holm(pvalues)
    m = len(pvalues)
    order = sorted(range(m), key=pvalues.__getitem__)
    for rank, index in enumerate(order):
        assert adjusted[index] == pytest.approx(min(1.0, max((m - r) * pvalues[order[r]] for r in range(rank + 1))))
    assert holm(pvalues[::-1]) == pytest.approx(adjusted[::-1])
