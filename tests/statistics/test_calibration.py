"""Calibration error against hand computations and scikit-learn, and what a calibrated model would have."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from vlm_grpo.statistics.calibration import Bin, brier, calibration_error, consistency, reliability

ANSWERS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def test_by_hand():
    """(.5, .6]: 3 answers of mean .55, 1 right; (.9, 1]: 2 of mean .95, 2 right: (3 x .2167 + 2 x .05) / 5 = .15."""
    bins = reliability([0.52, 0.53, 0.6, 0.9001, 0.9999], [True, False, False, True, True], bins=10)
    assert [(one.n, one.right) for one in bins] == [(3, 1), (2, 2)]
    assert bins[0].confidence == pytest.approx(0.55)
    assert (bins[1].low, bins[1].high) == (pytest.approx(0.9), 1.0)
    assert calibration_error(bins) == pytest.approx(0.15)


def test_edges_belong_to_the_bin_below_and_both_ends_count():
    bins = reliability([0.0, 0.25, 0.5, 1.0], [False, True, True, True], bins=4)
    assert bins == [Bin(0.0, 0.25, 2, 1, 0.125), Bin(0.25, 0.5, 1, 1, 0.5), Bin(0.75, 1.0, 1, 1, 1.0)]


@given(ANSWERS, st.integers(1, 20))
def test_bins_are_those_of_scikit_learn(answers, count):
    p, right = (list(values) for values in zip(*answers, strict=True))
    bins = reliability(p, right, bins=count)
    shares, means = calibration_curve(right, p, n_bins=count, pos_label=True) if len(set(right)) > 1 else (None, None)
    assert sum(one.n for one in bins) == len(p)
    if shares is not None:
        assert [one.accuracy for one in bins] == pytest.approx(list(shares))
        assert [one.confidence for one in bins] == pytest.approx(list(means), abs=1e-12)
        assert brier(p, right) == pytest.approx(brier_score_loss(right, p, pos_label=True))
    error = calibration_error(bins)
    assert abs(np.mean(right) - np.mean(p)) - 1e-9 <= error <= 1 + 1e-9, "no less than with all in one bin"


def test_what_is_calibrated_is_told_from_what_is_not():
    rng = np.random.default_rng(0)
    p = rng.uniform(0.5, 1, 400)
    calibrated = consistency(p, rng.random(400) < p, bins=10, seed=0)
    sure = consistency(p, rng.random(400) < p - 0.2, bins=10, seed=0)
    assert calibrated.p > 0.05 > 0.001 > sure.p
    assert calibrated.mean < calibrated.high
    assert consistency(p, p < 2, bins=10, seed=1).mean == pytest.approx(sure.mean, abs=0.002), "of confidences alone"


def test_few_answers_have_an_error_even_if_calibrated():
    """One answer of confidence .5 is off by .5, whatever comes."""
    assert consistency([0.5], [True], bins=10, seed=0) == consistency([0.5], [False], bins=10, seed=3)
    assert consistency([0.5], [True], bins=10, seed=0).mean == 0.5
    assert consistency([0.5], [True], bins=10, seed=0).p == 1.0


@pytest.mark.parametrize(
    "p, right, bins", [([], [], 5), ([0.5], [True, False], 5), ([1.1], [True], 5), ([0.5], [True], 0)]
)
def test_what_has_no_calibration_is_refused(p, right, bins):
    with pytest.raises(ValueError, match=r"reliability|outside"):
        reliability(p, right, bins=bins)
