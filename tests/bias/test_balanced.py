"""Balanced sets: size, prior and relations stay, only the association moves."""

import random
from collections import Counter
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relation_data import TRAIN, relation_cases
from vlm_grpo.bias.cases import label_counts
from vlm_grpo.bias.text.apportion import apportion
from vlm_grpo.bias.text.balanced import deal_shortcuts, plan, select
from vlm_grpo.errors import UserError

COUNTS = st.dictionaries(
    st.sampled_from(["on", "under", "near", "past", "by", "off", "with"]),
    st.tuples(st.integers(0, 30), st.integers(0, 30)).filter(any),
    min_size=1,
)
STRENGTHS = st.floats(0, 1)


def every_deal(counts):
    """All ways to give each relation one of its labels, with the rows of either side and whether they can be cut."""
    choices = [[label for label in (True, False) if counts[relation][not label]] for relation in counts]
    for labels in product(*choices):
        rows = {True: 0, False: 0}
        for (true, false), label in zip(counts.values(), labels, strict=True):
            agreeing, opposing = (true, false) if label else (false, true)
            rows[label] += max(1, min(agreeing, 2 * opposing))
        fits = min(rows.values()) >= max(labels.count(True), labels.count(False))
        yield dict(zip(counts, labels, strict=True)), min(rows.values()), fits


def is_feasible(counts):
    return any(fits for _, _, fits in every_deal(counts))


@given(COUNTS, STRENGTHS, st.integers(0, 3))
def test_only_the_association_moves(counts, strength, seed):
    cases = relation_cases(counts)
    if not is_feasible(counts):
        with pytest.raises(UserError, match="cannot be balanced"):
            select(cases, strength=strength, seed=seed)
        return
    made, rows = select(cases, strength=strength, seed=seed)
    unbiased, neutral_rows = select(cases, strength=0, seed=seed)
    assert len(rows) == len(neutral_rows) == made.rows, "one size at every strength"
    assert 2 * sum(case.label for case in rows) == len(rows), "half of the rows are true"
    assert len({case.id for case in rows}) == len(rows), "no row twice"
    assert set(rows) <= set(cases)
    per_relation = Counter(case.relation for case in rows)
    assert per_relation.keys() == counts.keys(), "no relation lost"
    assert per_relation == Counter(case.relation for case in neutral_rows), "each keeps its number of rows"
    assert made.shortcut == unbiased.shortcut
    agreeing = sum(case.label is made.shortcut[case.relation] for case in rows)
    assert made.strength == pytest.approx(2 * agreeing / len(rows) - 1)
    rounding = 2 / len(rows) + 1e-9
    assert made.strength >= strength - rounding
    if all(true and false for true, false in counts.values()):
        assert made.strength <= strength + rounding


@given(COUNTS, STRENGTHS, st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(counts, strength, rng):
    if not is_feasible(counts):
        return
    cases = relation_cases(counts)
    shuffled = rng.sample(cases, len(cases))
    assert select(cases, strength=strength, seed=3) == select(shuffled, strength=strength, seed=3)


@given(COUNTS)
def test_no_other_deal_of_shortcuts_gives_more_rows(counts):
    dealt = deal_shortcuts(label_counts(relation_cases(counts)), seed=0)
    smaller, fits = next((rows, fits) for deal, rows, fits in every_deal(counts) if deal == dealt)
    assert fits is is_feasible(counts)
    assert smaller == max(rows for _, rows, fits_too in every_deal(counts) if fits_too is fits)


def test_both_ends_of_the_scale():
    cases = relation_cases({"on": (12, 12), "under": (12, 12)})
    for strength, agreeing in ((0, 12), (0.5, 18), (1, 24)):
        made, rows = select(cases, strength=strength, seed=0)
        assert len(rows) == 24
        assert sum(made.agreeing.values()) == agreeing
    assert {made.shortcut["on"], made.shortcut["under"]} == {True, False}


def test_the_seed_decides_rows_and_which_relation_gets_which_label():
    cases = relation_cases(dict.fromkeys(("a", "b", "c", "d"), (20, 20)))
    selected = [select(cases, strength=0.5, seed=seed) for seed in range(12)]
    assert len({tuple(made.shortcut.items()) for made, _ in selected}) > 2
    assert len({tuple(case.id for case in rows) for _, rows in selected}) == 12


def test_a_size_is_kept_at_every_strength_and_must_fit():
    counts = label_counts(relation_cases(TRAIN))
    most = plan(counts, strength=0, seed=0).rows
    for strength in (0, 0.3, 1):
        made = plan(counts, strength=strength, seed=0, size=most - 4)
        assert made.rows == most - 4
        assert made.agreeing.keys() == TRAIN.keys()
        assert all(made.agreeing[r] + made.opposing[r] for r in TRAIN)
    for size in (most + 2, most - 1, 2, 0, -2):
        with pytest.raises(UserError, match=rf"size {size}: give an even number from \d+ to {most}"):
            plan(counts, strength=1, seed=0, size=size)


@pytest.mark.parametrize("strength", [-0.1, 1.01, float("nan")])
def test_a_strength_outside_the_scale(strength):
    with pytest.raises(UserError, match=r"outside \[0, 1\]"):
        plan(label_counts(relation_cases(TRAIN)), strength=strength, seed=0)


@given(st.dictionaries(st.text("abcdef", min_size=1), st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1))
def test_apportioning_keeps_total_and_bounds_and_stays_by_the_quota(bounds):
    lower = {name: min(pair) for name, pair in bounds.items()}
    upper = {name: max(pair) for name, pair in bounds.items()}
    total = random.Random(1).randint(sum(lower.values()), sum(upper.values()))
    quotas = {name: total / len(bounds) for name in bounds}
    given_out = apportion(total, quotas, lower=lower, upper=upper)
    assert sum(given_out.values()) == total
    assert all(lower[name] <= given_out[name] <= upper[name] for name in bounds)
    free = [given_out[name] for name in bounds if lower[name] < given_out[name] < upper[name]]
    assert not free or max(free) - min(free) <= 1
    with pytest.raises(ValueError, match="not between"):
        apportion(sum(upper.values()) + 1, quotas, lower=lower, upper=upper)
