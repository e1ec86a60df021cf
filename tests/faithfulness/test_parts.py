"""Completions taken apart and thoughts cut: nothing is lost, and what does not reason has no parts."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlm_grpo.faithfulness.parts import cut, parts_of, sentences


@pytest.mark.parametrize(
    "text, thought",
    [
        ("<think> It is left. </think> <answer> True </answer>", "It is left."),
        ("so <think>a</think>\n\n<answer>1</answer>", "a"),
        ("<think> </think> <answer> True </answer>", None),
        ("<answer> True </answer>", None),
        ("<answer> True </answer> <think> a </think>", None),
        ("<think> a </think> <think> b </think> <answer> True </answer>", None),
        ("<think> a <answer> True </answer>", None),
        ("<think> a </think> <answer> True", None),
    ],
)
def test_what_reasons_and_then_answers_has_parts(text, thought):
    parts = parts_of(text)
    assert (parts.thought if parts else None) == thought
    if parts:
        assert text.startswith(parts.with_thought(parts.thought))
        assert parts.with_thought("").endswith("<answer>")


@given(st.text("ab .,;!?\n", max_size=60), st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]))
def test_a_cut_is_a_beginning_that_grows(thought, share):
    thought = thought.strip()
    assert thought.startswith(cut(thought, share))
    assert len(cut(thought, share / 2)) <= len(cut(thought, share))
    assert cut(thought, 0) == ""
    assert cut(thought, 1) == thought


@given(st.text("ab .!?\n", min_size=1, max_size=60).map(str.strip).filter(bool))
def test_sentences_are_all_that_is_said(thought):
    places = sentences(thought)
    assert places[0][0] == 0
    assert places[-1][1] == len(thought)
    assert all(thought[end:following].isspace() for (_, end), (following, _) in pairwise(places))


@pytest.mark.parametrize(
    "thought, half",
    [
        ("One is red. Two is blue. Three. Four.", "One is red. Two is blue."),
        ("The cat is here, the dog, a bird, so it is left.", "The cat is here, the dog,"),
        ("I will guess now", "I will"),
    ],
)
def test_short_thoughts_are_cut_at_clauses_or_words(thought, half):
    assert cut(thought, 0.5) == half
