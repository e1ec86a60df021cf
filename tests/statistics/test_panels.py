"""Fleiss' kappa against statsmodels, and where it says nothing."""

from math import isfinite

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import aggregate_raters
from statsmodels.stats.inter_rater import fleiss_kappa as by_statsmodels

from vlm_grpo.statistics.panels import fleiss_kappa

RATINGS = st.integers(2, 5).flatmap(
    lambda raters: st.lists(st.lists(st.integers(0, 2), min_size=raters, max_size=raters), min_size=2, max_size=30)
)


@given(RATINGS)
def test_the_value_is_statsmodels(ratings):
    counts, _ = aggregate_raters(np.array(ratings), n_cat=3)
    estimate = fleiss_kappa(counts.tolist())
    if len({value for item in ratings for value in item}) == 1:
        assert estimate is None
    elif estimate is not None:
        assert estimate.value == pytest.approx(by_statsmodels(counts), abs=1e-9)
        assert -1 <= estimate.interval.low <= estimate.value <= estimate.interval.high <= 1
        assert all(map(isfinite, estimate.interval))


def test_the_interval_covers_a_known_kappa_and_knows_clusters():
    """Three raters who say the truth with .9 and its opposite else: kappa is (2 * .9 - 1) ** 2 = .64."""
    covered, widths = 0, {1: 0.0, 2: 0.0}
    for seed in range(40):
        rng = np.random.default_rng(seed)
        truth = rng.random(200) < 0.5
        said = np.array([truth ^ (rng.random(200) < 0.1) for _ in range(3)]).sum(axis=0)
        counts = np.stack([said, 3 - said], axis=1)
        estimate = fleiss_kappa(counts.tolist())
        covered += estimate.interval.low <= 0.64 <= estimate.interval.high
        widths[1] += estimate.interval.high - estimate.interval.low
        twice = np.repeat(counts, 2, axis=0).tolist()
        interval = fleiss_kappa(twice, clusters=np.repeat(np.arange(200), 2).tolist()).interval
        widths[2] += interval.high - interval.low
    assert covered >= 34
    assert widths[2] == pytest.approx(widths[1], rel=0.05), "rows that say the same twice are no more evidence"


@pytest.mark.parametrize("counts", [[], [[2, 1], [1, 1]], [[1, 0]], [[3, -1], [1, 1]]])
def test_what_is_no_panel_is_refused(counts):
    with pytest.raises(ValueError, match="rater"):
        fleiss_kappa(counts)
