"""Every reward pays its gold answers in full and its known hacks nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlm_grpo.errors import UserError
from vlm_grpo.rewards.registry import REWARDS, by_names
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.truth import TRUTH
from vlm_grpo.tasks.view import AS_IS

GOLD = [(name, n) for name, reward in REWARDS.items() for n, _ in enumerate(reward.gold)]
HACKS = [(name, n) for name, reward in REWARDS.items() for n, _ in enumerate(reward.hacks)]


def row(solution):
    return Row(id="r", images=(), problem="?", solution=str(solution), task="vsr")


@pytest.mark.parametrize("name, number", GOLD)
def test_gold_earns_the_maximum(name, number):
    reward = REWARDS[name]
    assert reward.score(*reward.gold[number], rule="strict") == reward.maximum


@pytest.mark.parametrize("name, number", HACKS)
@pytest.mark.parametrize("rule", ["strict", "relaxed"])
def test_hacks_earn_the_minimum(name, number, rule):
    reward = REWARDS[name]
    assert reward.score(*reward.hacks[number], rule=rule) == reward.minimum


@given(text=st.text(alphabet="TrueFals yno<>/thinkaswer\n.", max_size=80), value=st.booleans())
def test_scores_stay_in_range_and_accuracy_agrees_with_the_extractor(text, value):
    for reward in REWARDS.values():
        for rule in ("strict", "relaxed"):
            scored = reward.score(text, row(value), rule=rule)
            assert scored is None or reward.minimum <= scored <= reward.maximum
    assert REWARDS["accuracy"].score(text, row(value), rule="strict") == float(TRUTH.read(text) is value)


@given(think=st.text(alphabet=st.characters(blacklist_characters="<>"), min_size=1), value=st.booleans())
def test_a_well_formed_completion_earns_everything(think, value):
    completion = f"<think>x{think}</think>\n<answer> {value} </answer>"
    expected = row(f"<answer> {value} </answer>")
    for name in ("accuracy", "credit", "format"):
        assert REWARDS[name].score(completion, expected, rule="strict") == 1.0


def test_relaxed_reads_yes_and_no_where_strict_does_not():
    accuracy = REWARDS["accuracy"]
    completion = "<think> a </think> <answer> Yes. </answer>"
    assert accuracy.score(completion, row(True), rule="strict") == 0.0
    assert accuracy.score(completion, row(True), rule="relaxed") == 1.0


def test_the_trainer_sees_one_score_per_completion_under_the_rewards_name():
    accuracy = REWARDS["accuracy"].for_trainer("strict")
    turns = [[{"role": "assistant", "content": f"<answer> {answer} </answer>"}] for answer in ("True", "False")]
    assert accuracy.__name__ == "accuracy"
    columns = {"row": [row(True).model_dump_json()] * 2, "view": [AS_IS.model_dump_json()] * 2}
    assert accuracy(completions=turns, id=["a", "b"], images=[[], []], **columns) == [1.0, 0.0]


def test_names_are_checked():
    assert [reward.name for reward in by_names(["format", "accuracy"])] == ["format", "accuracy"]
    assert all(name == reward.name for name, reward in REWARDS.items())
    with pytest.raises(UserError, match=r"unknown reward 'acuracy'; known: .*accuracy, "):
        by_names(["acuracy"])
    with pytest.raises(UserError, match="twice"):
        by_names(["format", "format"])
    with pytest.raises(UserError, match="no reward"):
        by_names([])
