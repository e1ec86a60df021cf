import time

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vlm_grpo.statistics.bootstrap import cluster_bootstrap, paired_bootstrap

GRADED = np.random.default_rng(7).random((2, 400))
"""Partial credit of two arms: 400 values that are all different."""


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


def naive(values, clusters, *, seed, resamples=4000):
    """Draw clusters one by one and pool their rows."""
    rng = np.random.default_rng(seed)
    members = {
        name: [v for v, c in zip(values, clusters, strict=True) if c == name] for name in dict.fromkeys(clusters)
    }
    groups = list(members.values())
    means = [
        np.mean([value for place in rng.integers(0, len(groups), len(groups)) for value in groups[place]])
        for _ in range(resamples)
    ]
    return np.quantile(means, [0.025, 0.975])


@pytest.mark.parametrize("values", [GRADED[0][:90], GRADED[1][:90] > 0.6], ids=["graded", "right or wrong"])
@pytest.mark.parametrize("sizes", [(1,), (3,), (1, 2, 6)])
def test_equals_the_bootstrap_that_draws_clusters(values, sizes):
    clusters, picture = [], 0
    while len(clusters) < len(values):
        clusters += [f"{picture}.jpg"] * sizes[picture % len(sizes)]
        picture += 1
    clusters = clusters[: len(values)]
    width = np.std(values) / np.sqrt(len(values) / max(sizes))
    assert cluster_bootstrap(values, clusters, seed=0) == pytest.approx(naive(values, clusters, seed=1), abs=width / 4)


def test_clusters_of_one_are_no_clusters():
    rows = [f"r{i}" for i in range(400)]
    assert cluster_bootstrap(GRADED[0], rows, seed=3) == cluster_bootstrap(GRADED[0], None, seed=3)
    assert paired_bootstrap(*GRADED, clusters=rows, seed=3) == pytest.approx(
        paired_bootstrap(*GRADED, seed=4), abs=0.01
    )


def test_rows_of_one_picture_are_no_independent_evidence():
    """Four copies of every row, told to be one picture, say what the rows said, and not twice as surely."""
    rows = GRADED[0]
    alone = cluster_bootstrap(rows, None, seed=0)
    copied = cluster_bootstrap(np.repeat(rows, 4), np.repeat(np.arange(400), 4), seed=0)
    taken_apart = cluster_bootstrap(np.repeat(rows, 4), None, seed=0)
    assert copied == pytest.approx(alone, abs=0.003)
    assert taken_apart.high - taken_apart.low < 0.6 * (alone.high - alone.low)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.3, 1.0]) | st.floats(-1e6, 1e6), st.integers(0, 5)), min_size=1),
    st.sampled_from([0.5, 0.95, 0.99]),
)
def test_every_interval_is_sound(rows, confidence):
    values, clusters = zip(*rows, strict=True)
    interval = cluster_bootstrap(values, clusters, seed=0, resamples=400, confidence=confidence)
    if len(set(clusters)) == 1 or len(set(values)) == 1:
        assert interval is None
    assume(interval is not None)
    assert min(values) - 1e-6 <= interval.low <= np.mean(values) <= interval.high <= max(values) + 1e-6


@pytest.mark.parametrize(
    "values, clusters",
    [([0.3], None), ([1.0, 0.0], ["a", "a"]), ([0.1] * 9, None), ([1, 0, 1, 0], ["a", "a", "b", "b"])],
    ids=["one row", "one cluster", "constant", "clusters of one mean"],
)
def test_nothing_to_draw_from_gives_no_interval(values, clusters):
    assert cluster_bootstrap(values, clusters, seed=0) is None
    assert paired_bootstrap(np.zeros(len(values)), values, clusters=clusters, seed=0) is None


def test_ten_thousand_resamples_of_two_thousand_rows_take_about_a_second():
    values = np.random.default_rng(0).random((2, 2000))
    started = time.process_time()
    paired_bootstrap(*values, clusters=[f"{i // 2}.jpg" for i in range(2000)], seed=0)
    assert time.process_time() - started < 5, "0.3 s on an idle core"


@pytest.mark.parametrize(
    "change",
    [
        {"values": []},
        {"values": [1.0, float("nan")]},
        {"values": [1.0, float("inf")]},
        {"clusters": ["a"]},
        {"resamples": 0},
        {"resamples": 99},
        {"confidence": 1.0},
        {"confidence": 95},
    ],
)
def test_what_cannot_be_drawn_is_a_bug(change):
    given = {"values": [0.0, 1.0], "clusters": None, "seed": 0} | change
    with pytest.raises(ValueError, match=r"values|resamples|confidence"):
        cluster_bootstrap(**given)


def test_equal_arms_say_nothing_and_the_seed_decides():
    assert paired_bootstrap([1, 0, 1], [1, 0, 1], seed=0) is None
    arms = ([0, 1, 0, 1, 1], [1, 1, 0, 0, 1])
    assert paired_bootstrap(*arms, seed=5) == paired_bootstrap(*arms, seed=5)


@pytest.mark.parametrize("first, second", [([], []), ([1], [1, 0])])
def test_unpaired_arms_are_a_bug(first, second):
    with pytest.raises(ValueError, match="cannot be paired"):
        paired_bootstrap(first, second, seed=0)
