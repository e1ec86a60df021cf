"""Rows parted by picture."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlm_grpo.errors import UserError
from vlm_grpo.tasks.jsonl.split import families, held_out

ROWS = st.lists(st.lists(st.integers(0, 12), max_size=3), min_size=1, max_size=30)


@given(ROWS)
def test_families_are_what_walking_from_row_to_row_reaches(rows):
    unseen, expected = set(range(len(rows))), []
    for first in range(len(rows)):
        if first in unseen:
            reached, waiting = {first}, [first]
            while waiting:
                shown = set(rows[waiting.pop()])
                near = {row for row in unseen - reached if shown & set(rows[row])}
                reached |= near
                waiting += near
            unseen -= reached
            expected.append(sorted(reached))
    assert families(rows) == expected


@given(ROWS, st.floats(0.05, 0.95), st.integers(0, 99))
def test_no_picture_is_on_both_sides_and_the_share_is_kept(rows, ratio, seed):
    try:
        validation = held_out(rows, ratio=ratio, seed=seed)
    except UserError:
        assert min(map(len, families(rows))) > round(ratio * len(rows))
        return
    assert 0 < len(validation) <= round(ratio * len(rows))
    sides = [{p for n, row in enumerate(rows) if (n in validation) == side for p in row} for side in (True, False)]
    assert not sides[0] & sides[1]
    random.random()
    assert held_out(rows, ratio=ratio, seed=seed) == validation


def test_seeds_differ_and_a_share_without_room_is_told():
    rows = [[n // 2] for n in range(200)]
    assert len(held_out(rows, ratio=0.1, seed=1)) == 20
    assert held_out(rows, ratio=0.1, seed=1) != held_out(rows, ratio=0.1, seed=2)
    with pytest.raises(UserError, match="leaves room for 1, and the smallest group of rows that share pictures has 2"):
        held_out(rows[:10], ratio=0.1, seed=1)
