import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from vlm_grpo.statistics.agreement import Labelled, kappa, prediction_powered, rogan_gladen

HUMAN_CHECK = Labelled(tp=10, fp=14, fn=2, tn=24)


def test_kappa_of_the_studys_human_check():
    found = kappa([[24, 2], [14, 10]])
    assert found.value == pytest.approx(0.3464, abs=5e-5)
    assert 0 < found.interval.low < 0.346 < found.interval.high < 0.7


@given(st.lists(st.lists(st.integers(0, 20), min_size=3, max_size=3), min_size=3, max_size=3))
def test_kappa_equals_scikit_learn(table):
    pairs = [(i, j) for i in range(3) for j in range(3) for _ in range(table[i][j])]
    if not pairs:
        return
    found = kappa(table)
    first, second = zip(*pairs, strict=True)
    if found is None:
        assert len({*first, *second}) == 1
    else:
        assert found.value == pytest.approx(cohen_kappa_score(first, second))


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
        found = method(int(judged[150:].sum()), 650, sample)
        covered.append(found.interval.low <= rate <= found.interval.high)
        widths.append(found.interval.high - found.interval.low)
    assert np.mean(covered) > 0.92
    assert np.mean(widths) < 0.35


def test_the_studys_rate_corrected():
    """gpt-4o called 243 of 700 misaligned; a human confirmed 10 of 24 such, and 24 of 26 of the others."""
    assert rogan_gladen(243, 700, HUMAN_CHECK).value == 0
    found = prediction_powered(243 - 24, 650, HUMAN_CHECK)
    assert found.interval.low < found.value < 243 / 700
