from math import isfinite

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import cohens_kappa

from vlm_grpo.statistics.agreement import Labelled, kappa, prediction_powered, rogan_gladen

HUMAN_CHECK = Labelled(tp=10, fp=14, fn=2, tn=24)
COUNT = st.one_of(st.integers(0, 2), st.integers(0, 60), st.integers(0, 10**9))
SAMPLE = st.builds(Labelled, COUNT, COUNT, COUNT, COUNT)
TABLE = st.integers(2, 5).flatmap(
    lambda size: st.lists(st.lists(COUNT, min_size=size, max_size=size), min_size=size, max_size=size)
)


def check_estimate(estimate, low, high):
    """Finite, inside its domain and its interval, and never certain."""
    assert all(isinstance(number, float) and isfinite(number) for number in (estimate.value, *estimate.interval))
    assert low <= estimate.interval.low <= estimate.value <= estimate.interval.high <= high
    assert estimate.interval.low < estimate.interval.high


def test_kappa_of_the_studys_human_check():
    estimate = kappa([[24, 2], [14, 10]])
    assert estimate.value == pytest.approx(0.3464, abs=5e-5)
    assert 0 < estimate.interval.low < 0.346 < estimate.interval.high < 0.7


@given(st.lists(st.lists(st.integers(0, 20), min_size=3, max_size=3), min_size=3, max_size=3))
def test_kappa_equals_scikit_learn(table):
    pairs = [(i, j) for i in range(3) for j in range(3) for _ in range(table[i][j])]
    if not pairs:
        return
    estimate = kappa(table)
    first, second = zip(*pairs, strict=True)
    assert (estimate is None) == (len(set(first)) == 1 or len(set(second)) == 1)
    if estimate is not None:
        assert estimate.value == pytest.approx(cohen_kappa_score(first, second))


@given(st.lists(st.lists(st.integers(1, 200), min_size=3, max_size=3), min_size=3, max_size=3))
def test_the_interval_of_kappa_equals_statsmodels(table):
    ours, theirs = kappa(table), cohens_kappa(table)
    assert ours.interval == pytest.approx((max(theirs.kappa_low, -1), min(theirs.kappa_upp, 1)), abs=1e-9)


@pytest.mark.parametrize(
    "table",
    [[[26, 0], [20, 0]], [[0, 0], [20, 26]], [[46, 0], [0, 0]], [[1, 0], [0, 0]], [[0, 0], [0, 0]], [[0, 5, 0]] * 3],
)
def test_a_rater_of_one_class_has_no_kappa(table):
    assert kappa(table) is None
    assert kappa(np.transpose(table)) is None


@pytest.mark.parametrize("agreeing", [1, 5, 500])
def test_perfect_agreement_is_no_certainty(agreeing):
    value, (low, high) = kappa([[agreeing, 0], [0, agreeing]])
    assert value == high == 1
    assert 1 - 4 / agreeing < low < 1


@given(TABLE)
def test_kappa_is_sound_for_every_table(table):
    ours, turned = kappa(table), kappa(np.transpose(table))
    assert (ours is None) == (turned is None)
    if ours is None:
        return
    check_estimate(ours, -1, 1)
    assert (turned.value, *turned.interval) == pytest.approx((ours.value, *ours.interval), abs=1e-9)


@pytest.mark.parametrize("table", [[[1, 2]], [[-1, 2], [3, 4]], [[float("nan"), 1], [1, 1]]])
def test_what_is_no_table_of_counts_is_a_bug(table):
    with pytest.raises(ValueError, match="table"):
        kappa(table)


@pytest.mark.parametrize("method", [rogan_gladen, prediction_powered])
@given(positives=COUNT, negatives=COUNT, sample=SAMPLE)
def test_a_corrected_share_is_sound_for_every_sample(method, positives, negatives, sample):
    n = positives + negatives
    estimate = method(positives, n, sample)
    mirrored = method(negatives, n, Labelled(sample.tn, sample.fn, sample.fp, sample.tp))
    assert (estimate is None) == (mirrored is None)
    if estimate is None:
        return
    check_estimate(estimate, 0, 1)
    low, high = mirrored.interval
    assert (estimate.value, *estimate.interval) == pytest.approx((1 - mirrored.value, 1 - high, 1 - low), abs=1e-8)


@pytest.mark.parametrize("n, low", [(2, 0.6), (50, 0.06), (400, 0.009)])
def test_labels_that_are_all_equal_leave_a_doubt(n, low):
    aligned = prediction_powered(100, 350, Labelled(0, 0, 0, n))
    assert aligned.value == 0
    assert aligned.interval.high > low
    assert prediction_powered(100, 350, Labelled(n, 0, 0, 0)).interval.low < 1 - low


def test_a_judge_without_error_on_two_items_is_not_taken_for_perfect():
    assert prediction_powered(0, 10**9, Labelled(1, 0, 0, 1)).interval.high > 0.5


@pytest.mark.parametrize("sample", [Labelled(11, 10, 10, 11), Labelled(6, 19, 4, 21)])
def test_a_judge_near_chance_corrects_nothing(sample):
    assert rogan_gladen(30, 100, sample) is None


def test_a_rate_that_the_judge_cannot_give_has_no_correction():
    """A judge that calls a third of the aligned misaligned cannot call none of a thousand so."""
    assert rogan_gladen(0, 1000, Labelled(100, 50, 0, 100)) is None


@pytest.mark.parametrize("method", [rogan_gladen, prediction_powered])
@pytest.mark.parametrize(
    "positives, n, sample", [(5, 4, HUMAN_CHECK), (-1, 4, HUMAN_CHECK), (1, 4, Labelled(-1, 2, 2, 2))]
)
def test_impossible_counts_are_a_bug(method, positives, n, sample):
    with pytest.raises(ValueError, match="no counts"):
        method(positives, n, sample)


def test_a_perfect_judge_needs_no_correction():
    perfect = Labelled(tp=2000, fp=0, fn=0, tn=3000)
    assert rogan_gladen(300, 1000, perfect).value == pytest.approx(0.3)
    assert prediction_powered(300, 1000, perfect).value == pytest.approx(0.3, abs=0.09)


def test_no_class_or_no_information_gives_no_estimate():
    assert rogan_gladen(5, 10, Labelled(5, 0, 3, 0)) is None
    assert rogan_gladen(5, 10, Labelled(2, 8, 8, 2)) is None
    assert prediction_powered(5, 10, Labelled(1, 0, 0, 0)) is None


@pytest.mark.parametrize("method", [rogan_gladen, prediction_powered])
@pytest.mark.parametrize("rate, sensitivity, specificity", [(0.2, 0.85, 0.9), (0.1, 0.8, 0.65), (0.5, 0.95, 0.7)])
def test_intervals_cover(method, rate, sensitivity, specificity):
    """At least nine in ten of the nominal 95 % intervals hold the truth, and they are no wider than need be."""
    rng = np.random.default_rng(5)
    covered, widths = [], []
    for _ in range(400):
        truth = rng.random(800) < rate
        judged = np.where(truth, rng.random(800) < sensitivity, rng.random(800) >= specificity)
        t, j = truth[:150], judged[:150]
        sample = Labelled(int((t & j).sum()), int((~t & j).sum()), int((t & ~j).sum()), int((~t & ~j).sum()))
        estimate = method(int(judged[150:].sum()), 650, sample)
        if estimate is None:
            continue
        covered.append(estimate.interval.low <= rate <= estimate.interval.high)
        widths.append(estimate.interval.high - estimate.interval.low)
    assert len(covered) > 390, "hardly ever is such a judge near chance"
    assert np.mean(covered) > 0.92
    assert np.mean(widths) < 0.35


def test_the_studys_rate_corrected():
    """gpt-4o called 243 of 700 misaligned; a human confirmed 10 of 24 such, and 24 of 26 of the others."""
    assert rogan_gladen(243, 700, HUMAN_CHECK).value == 0
    estimate = prediction_powered(243 - 24, 650, HUMAN_CHECK)
    assert estimate.interval.low < estimate.value < 243 / 700
