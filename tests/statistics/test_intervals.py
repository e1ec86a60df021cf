import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import norm
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from vlm_grpo.statistics.intervals import Estimate, Interval, difference, newcombe, newcombe_paired, wilson
from vlm_grpo.statistics.shares import accuracy_share, rate_share

EXTREME = st.one_of(st.integers(0, 3), st.integers(0, 300), st.integers(0, 10**9))
CONFIDENCE = st.sampled_from([0.8, 0.95, 0.99]) | st.floats(0.5, 1 - 1e-12)
COUNTS = st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    "k, n, low, high",
    [
        (253, 350, 0.6737, 0.7671),  # correct, test, base model (reference, section 11.1)
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (1, 1, 0.2065, 1.0),
    ],
)
def test_known_intervals(k, n, low, high):
    assert wilson(k, n) == pytest.approx((low, high), abs=5e-5)


@given(COUNTS, st.sampled_from([0.8, 0.95, 0.99]))
def test_ends_are_where_the_score_test_stops_rejecting(counts, confidence):
    k, n = counts
    z = norm.ppf(0.5 + confidence / 2)
    share = k / n

    def score(p):
        return (share - p) - math.copysign(z, share - p) * math.sqrt(p * (1 - p) / n)

    low, high = wilson(k, n, confidence)
    assert 0 <= low <= share <= high <= 1
    if k > 0:
        assert low == pytest.approx(brentq(score, 1e-12, share - 1e-12), abs=1e-6)
    if k < n:
        assert high == pytest.approx(brentq(score, share + 1e-12, 1 - 1e-12), abs=1e-6)


@given(COUNTS, st.sampled_from([0.8, 0.95, 0.99]))
def test_equals_statsmodels(counts, confidence):
    k, n = counts
    assert wilson(k, n, confidence) == pytest.approx(
        proportion_confint(k, n, alpha=1 - confidence, method="wilson"), abs=1e-12
    )


@given(COUNTS)
def test_failures_mirror_successes(counts):
    k, n = counts
    low, high = wilson(k, n)
    assert wilson(n - k, n) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize("k, n", [(0, 0), (-1, 5), (6, 5)])
def test_no_proportion(k, n):
    with pytest.raises(ValueError, match="not a proportion"):
        wilson(k, n)


@pytest.mark.parametrize("confidence", [0, 1, 95])
def test_confidence_is_a_fraction(confidence):
    with pytest.raises(ValueError, match="confidence"):
        wilson(1, 2, confidence)


@given(COUNTS, COUNTS, st.sampled_from([0.8, 0.95]))
def test_a_difference_is_bounded_as_by_statsmodels(first, second, confidence):
    ours = newcombe(first, second, confidence)
    theirs = confint_proportions_2indep(*second, *first, method="newcomb", compare="diff", alpha=1 - confidence)
    assert ours == pytest.approx(theirs, abs=1e-9)
    assert -1 <= ours.low <= second[0] / second[1] - first[0] / first[1] <= ours.high <= 1


CELLS = st.tuples(*[st.integers(0, 300)] * 4).filter(any)


@given(CELLS)
def test_a_paired_difference_lies_inside_and_mirrors(cells):
    both, first, second, neither = cells
    low, high = newcombe_paired(*cells)
    assert -1 <= low <= (second - first) / sum(cells) <= high <= 1
    assert low < high, "it never claims to know"
    assert newcombe_paired(both, second, first, neither) == pytest.approx((-high, -low))
    assert newcombe_paired(neither, second, first, both) == pytest.approx((-high, -low))


def test_pairing_narrows_and_its_absence_does_not():
    assert newcombe_paired(25, 25, 25, 25) == pytest.approx(newcombe((50, 100), (50, 100)))
    low, high = newcombe_paired(45, 5, 5, 45)
    assert high - low < 0.7 * (newcombe((50, 100), (50, 100)).high * 2)


@pytest.mark.parametrize("cells", [(0.5, 0.1, 0.2, 0.2), (0.9, 0.01, 0.04, 0.05), (0.05, 0.02, 0.9, 0.03)])
def test_a_paired_interval_holds_the_truth_as_often_as_it_says(cells):
    draws = np.random.default_rng(0).multinomial(60, cells, size=4000)
    intervals = [newcombe_paired(*map(int, draw)) for draw in draws]
    truth = cells[2] - cells[1]
    assert 0.935 < np.mean([low <= truth <= high for low, high in intervals]) < 0.999


@given(EXTREME, EXTREME, CONFIDENCE)
def test_a_share_is_sound_at_every_extreme(k, rest, confidence):
    n = k + rest
    assume(n)
    low, high = wilson(k, n, confidence)
    assert 0 <= low <= k / n <= high <= 1
    assert low < high
    assert wilson(rest, n, confidence) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@given(st.tuples(EXTREME, EXTREME, EXTREME, EXTREME).filter(any), CONFIDENCE)
def test_a_difference_is_sound_at_every_extreme(cells, confidence):
    both, first, second, neither = cells
    low, high = newcombe_paired(*cells, confidence)
    assert -1 <= low <= (second - first) / sum(cells) <= high <= 1
    assert low < high
    assert newcombe_paired(both, second, first, neither, confidence) == pytest.approx((-high, -low), abs=1e-12)
    one, other = (both, both + first), (second, second + neither)
    assume(one[1] and other[1])
    low, high = newcombe(one, other, confidence)
    assert -1 <= low <= other[0] / other[1] - one[0] / one[1] <= high <= 1
    assert low < high
    assert newcombe(other, one, confidence) == pytest.approx((-high, -low), abs=1e-12)


def test_shares_have_their_keys_and_no_rows_no_rate():
    low, high = wilson(3, 4)
    assert accuracy_share(3, 4) == {"n": 4, "correct": 3, "accuracy": 0.75, "ci_low": low, "ci_high": high}
    assert rate_share(3, 4) == {"k": 3, "n": 4, "rate": 0.75, "ci_low": low, "ci_high": high}
    assert rate_share(0, 0) is None
    with pytest.raises(ValueError, match="not a proportion"):
        accuracy_share(0, 0)


@pytest.mark.parametrize("correlation, interval", [(1.5, (0, 1)), (0, (0.6, 1)), (0, (float("nan"), 1))])
def test_a_difference_of_what_is_no_estimate_is_a_bug(correlation, interval):
    with pytest.raises(ValueError, match="no difference to bound"):
        difference(Estimate(0.5, Interval(*interval)), Estimate(0.5, Interval(0, 1)), correlation=correlation)


@pytest.mark.parametrize("cells", [(-1, 2, 3, 4), (3, -2, 2, 1)])
def test_negative_cells_are_a_bug(cells):
    with pytest.raises(ValueError, match="negative"):
        newcombe_paired(*cells)


def test_no_rows_have_no_difference():
    with pytest.raises(ValueError, match="not a proportion"):
        newcombe_paired(0, 0, 0, 0)
