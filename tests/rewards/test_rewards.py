"""Every reward pays its gold answers in full and its known hacks nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlm_grpo.errors import UserError
from vlm_grpo.rewards.registry import REWARDS, by_names
from vlm_grpo.tasks.answers.truth import extract_answer

CASES = [(reward, pair) for reward in REWARDS.values() for pair in reward.gold]
HACKS = [(reward, pair) for reward in REWARDS.values() for pair in reward.hacks]


@pytest.mark.parametrize("reward,pair", CASES, ids=lambda x: getattr(x, "name", None) or x[0])
def test_gold_earns_the_maximum(reward, pair):
    completion, solution = pair
    assert reward.score(completion, solution, rule="strict") == reward.maximum


@pytest.mark.parametrize("reward,pair", HACKS, ids=lambda x: getattr(x, "name", None) or x[0] or "empty")
def test_hacks_earn_the_minimum(reward, pair):
    completion, solution = pair
    assert reward.score(completion, solution, rule="strict") == reward.minimum
    assert reward.score(completion, solution, rule="relaxed") == reward.minimum


@given(text=st.text(alphabet="TrueFals yno<>/thinkaswer\n.", max_size=80), value=st.booleans())
def test_scores_stay_in_range_and_accuracy_agrees_with_the_extractor(text, value):
    for reward in REWARDS.values():
        for rule in ("strict", "relaxed"):
            assert reward.minimum <= reward.score(text, str(value), rule=rule) <= reward.maximum
    assert REWARDS["accuracy"].score(text, str(value), rule="strict") == float(extract_answer(text) is value)


@given(think=st.text(alphabet=st.characters(blacklist_characters="<>"), min_size=1), value=st.booleans())
def test_a_well_formed_completion_earns_both(think, value):
    completion = f"<think>x{think}</think>\n<answer> {value} </answer>"
    assert [r.score(completion, f"<answer> {value} </answer>", rule="strict") for r in REWARDS.values()] == [1.0, 1.0]


def test_relaxed_reads_yes_and_no_where_strict_does_not():
    accuracy = REWARDS["accuracy"]
    completion = "<think> a </think> <answer> Yes. </answer>"
    assert accuracy.score(completion, "True", rule="strict") == 0.0
    assert accuracy.score(completion, "True", rule="relaxed") == 1.0


def test_the_trainer_sees_one_score_per_completion_under_the_rewards_name():
    accuracy = REWARDS["accuracy"].for_trainer("strict")
    turns = [[{"role": "assistant", "content": f"<answer> {answer} </answer>"}] for answer in ("True", "False")]
    assert accuracy.__name__ == "accuracy"
    assert accuracy(completions=turns, solution=["True", "True"], id=["a", "b"], images=[[], []]) == [1.0, 0.0]


def test_names_are_checked():
    assert [reward.name for reward in by_names(["format", "accuracy"])] == ["format", "accuracy"]
    with pytest.raises(UserError, match="unknown reward 'acuracy'; known: accuracy, format"):
        by_names(["acuracy"])
    with pytest.raises(UserError, match="twice"):
        by_names(["format", "format"])
    with pytest.raises(UserError, match="no reward"):
        by_names([])
