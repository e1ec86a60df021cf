import numpy as np
import pytest

from vlm_grpo.statistics.bootstrap import paired_bootstrap


def test_equals_the_bootstrap_that_draws_rows():
    rng = np.random.default_rng(3)
    first, second = rng.integers(0, 2, 120), rng.integers(0, 2, 120)
    rows = rng.integers(0, 120, (20_000, 120))
    slow = np.quantile((second[rows] - first[rows]).mean(axis=1), [0.025, 0.975])
    assert paired_bootstrap(first, second, seed=0) == pytest.approx(slow, abs=0.01)


def test_pairing_narrows_the_interval():
    easy = [i % 2 for i in range(200)]
    better = [max(value, i % 20 == 0) for i, value in enumerate(easy)]
    low, high = paired_bootstrap(easy, better, seed=0)
    assert 0 < low < 0.05 < high < 0.09


def test_equal_arms_leave_no_doubt_and_the_seed_decides():
    assert paired_bootstrap([1, 0, 1], [1, 0, 1], seed=0) == (0, 0)
    arms = ([0, 1, 0, 1, 1], [1, 1, 0, 0, 1])
    assert paired_bootstrap(*arms, seed=5) == paired_bootstrap(*arms, seed=5)


@pytest.mark.parametrize("first, second", [([], []), ([1], [1, 0])])
def test_unpaired_arms_are_a_bug(first, second):
    with pytest.raises(ValueError, match="cannot be paired"):
        paired_bootstrap(first, second, seed=0)
