"""Rewards for text answers: the defects that VLM-R1's have must not come back."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlm_grpo.rewards.length import LONGEST, length, worth
from vlm_grpo.rewards.registry import REWARDS
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.jsonl.task import METHOD


def scored(name, said, solution, rule="strict", method="all_match"):
    row = Row(id="r", images=(), problem="?", solution=solution, task="jsonl", meta={METHOD: method})
    return REWARDS[name].score(said, row, rule=rule)


@pytest.mark.parametrize(
    "name, solution",
    [("yes_no", "perhaps"), ("yes_no", "not sure"), ("mcq", "the red one"), ("math", "a triangle"), ("math", "((")],
)
def test_a_reference_of_another_kind_is_missing_and_nobody_is_right(name, solution):
    """VLM-R1 gives 1 where neither side says yes or no, and 0 where its reader fails on the reference."""
    for said in (f"<answer> {solution} </answer>", "<answer> 5 </answer>", ""):
        assert scored(name, said, solution) is None


@pytest.mark.parametrize("said", ["know", "none", "nothing", "cannot", "not sure", "no idea whether yes"])
@pytest.mark.parametrize("rule", ["strict", "relaxed"])
def test_words_that_hold_a_no_do_not_say_it(said, rule):
    assert scored("yes_no", f"<answer> {said} </answer>", "No", rule) == 0.0


@pytest.mark.parametrize("name, truth", [("mcq", "B"), ("yes_no", "Yes"), ("math", "0.5"), ("all_match", "a bus")])
def test_a_reference_over_several_lines_is_unwrapped_and_two_answers_are_none(name, truth):
    assert scored(name, f"<answer>\n{truth}\n</answer>", f"<answer>\n{truth}\n</answer>") == 1.0
    assert scored(name, f"<answer> {truth} </answer> <answer> {truth} </answer>", truth) == 0.0


def test_a_formula_is_not_compared_letter_by_letter():
    assert scored("math", r"<answer> \Delta = 4 </answer>", "4") == 1.0
    assert scored("math", "<answer> 0.50 </answer>", r"\frac{1}{2}") == 1.0
    assert scored("all_match", "<answer> 0.50 </answer>", "0.5") == 0.0


def test_a_record_says_how_it_is_scored():
    for method, said, solution in (("math", r"\frac{2}{4}", "0.5"), ("mcq", "(B)", "B"), ("yes_no", "no", "No")):
        assert scored("accuracy", f"<answer> {said} </answer>", solution, method=method) == 1.0
        assert scored("accuracy", f"<answer> {said} </answer>", solution, method="all_match") == float(
            method == "yes_no"
        )


def test_length_has_both_branches_of_the_cosine_and_ends_at_the_longest():
    """VLM-R1 takes every answer for a right one, and beyond the longest its cosine climbs back to 1."""
    for pieces in (0, 100, 512, 1024):
        cosine = math.cos(math.pi * pieces / 1024)
        assert worth(pieces, is_right=True) == pytest.approx(1.0 - 0.5 * (1 - cosine) / 2)
        assert worth(pieces, is_right=False) == pytest.approx(-0.5 + 0.5 * (1 - cosine) / 2)
    for pieces in (1025, 2048, 10**6):
        assert [worth(pieces, is_right=right) for right in (True, False)] == [0.5, 0.0]
    words = " word" * 300
    right, wrong = (scored("length", f"<think>{words} </think> <answer> {a} </answer>", "bus") for a in ("bus", "car"))
    assert (right, wrong) == (pytest.approx(worth(301, is_right=True)), pytest.approx(worth(301, is_right=False)))
    assert wrong < 0 < right


@given(shorter=st.integers(0, 3 * LONGEST), more=st.integers(0, 3 * LONGEST))
def test_longer_is_never_worth_more_when_right_nor_less_when_wrong(shorter, more):
    assert worth(shorter, is_right=True) >= worth(shorter + more, is_right=True) >= 0.5
    assert worth(shorter, is_right=False) <= worth(shorter + more, is_right=False) <= 0.0


def test_length_counts_words_and_signs():
    assert length("<think> It's 3.5 m, so </think>\n<answer> é </answer>") == 10


def test_repetition_counts_runs_of_words_and_boxes_alone():
    box = '{"bbox_2d": [%d, 2, 90, 90], "label": "%s"}'
    listed = ", ".join(box % (left, "a dog of some kind") for left in range(30))
    assert scored("repetition", f"<answer> [{listed}] </answer>", "x") == 0.0
    assert scored("repetition", f"[{listed}, {box % (3, 'a cat')}, {box % (3, 'a dog of some kind')}]", "x") == -1 / 31
    thought = "the dog is left of the cat and "
    assert scored("repetition", f"<think> {thought} </think> [{listed}]", "x") == 0.0
    assert scored("repetition", f"<think> {thought * 3} </think> [{listed}]", "x") == -(19 - 8) / 18
    assert scored("repetition", "The dog. the dog. THE DOG. " * 4, "x") == -(19 - 2) / 18


@given(words=st.lists(st.sampled_from(["a", "b", "c"]), max_size=40))
def test_repetition_is_at_most_nothing_and_saying_it_all_again_is_no_better(words):
    once, twice = (scored("repetition", " ".join(said), "x") for said in (words, words + words))
    assert -1.0 <= twice <= 0.0
    assert twice <= once or len(words) < 6
