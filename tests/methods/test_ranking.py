"""Right completions of a group told apart by another reward: the sum, the order, a run, settings that contradict."""

import math
from dataclasses import replace
from itertools import combinations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tiny_reward import VOWELS
from vlm_grpo.methods.grpo import command as grpo
from vlm_grpo.methods.grpo.completions import Rollouts
from vlm_grpo.methods.grpo.ranking import Ranking, bonus
from vlm_grpo.rewards import registry
from vlm_grpo.rows.records import Row
from vlm_grpo.store import jsonl

SCORES = st.one_of(st.just(math.nan), st.sampled_from([-1.0, 0.0, 0.5, 1.0]))
GROUPS = st.lists(st.lists(st.tuples(st.booleans(), SCORES), min_size=5, max_size=5), min_size=1, max_size=4)


@given(GROUPS, st.floats(0.01, 1.99))
def test_the_groups_mean_is_kept_and_order_is_that_of_the_reward(groups, alpha):
    right, by = (torch.tensor([one[i] for group in groups for one in group]) for i in (0, 1))
    given_more = bonus(right, by, group=5, alpha=alpha).view(-1, 5)
    torch.testing.assert_close(given_more.sum(1), torch.zeros(len(groups)), atol=1e-5, rtol=0)
    for group, more in zip(groups, given_more.tolist(), strict=True):
        assert all(value == 0 for (is_right, score), value in zip(group, more, strict=True)
                   if not is_right or math.isnan(score))  # fmt: skip
        ranked = [(one[1], value) for one, value in zip(group, more, strict=True) if one[0] and not math.isnan(one[1])]
        for (a, more_a), (b, more_b) in combinations(ranked, 2):
            assert (more_a > more_b) == (a > b)
            assert (more_a == more_b) == (a == b)
        assert all(1 + value > 0 for _, value in ranked), "what is right stays above what is wrong"


def test_best_and_last_are_alpha_apart_and_ties_share():
    right = torch.tensor([True, True, True, True, False])
    given_more = bonus(right, torch.tensor([3.0, 1.0, 1.0, 0.0, 9.0]), group=5, alpha=0.6)
    assert given_more.tolist() == pytest.approx([0.3, 0, 0, -0.3, 0])
    lone = bonus(right & (torch.arange(5) == 1), torch.arange(5.0), group=5, alpha=0.6)
    assert not lone.any()


def accuracy(completion: str, row: Row, *, rule: str, view: object = None) -> float:
    return float("a" in completion)


@pytest.fixture
def words(short_run, monkeypatch):
    """The words of a run with further settings; `accuracy` calls right what has the letter a."""
    for reward in (VOWELS, replace(registry.REWARDS["accuracy"], score=accuracy)):
        monkeypatch.setitem(registry.REWARDS, reward.name, reward)
    return short_run


def test_a_run_learns_from_ranks_and_without_any_as_trl_does(words, tmp_path):
    grpo.main(words("ranked", "rewards: [accuracy, format]\nreward_weights: [1, 0.5]\nrank_right_by: vowels\n"))
    lines = jsonl.read(tmp_path / "ranked" / "completions.jsonl")
    logged = jsonl.read(tmp_path / "ranked" / "metrics.jsonl")
    rewards = {name: [line["rewards"][name] for line in lines] for name in ("accuracy", "format", "vowels")}
    moved = []
    for start in range(0, len(lines), 4):
        own = slice(start, start + 4)
        right, by = (torch.tensor(rewards[name][own]) for name in ("accuracy", "vowels"))
        earned = right + 0.5 * torch.tensor(rewards["format"][own]) + bonus(right == 1, by, group=4, alpha=0.5)
        expected = (earned - earned.mean()) / (earned.std() + 1e-4)
        assert [line["shaped_advantage"] for line in lines[own]] == pytest.approx(expected.tolist(), abs=1e-4)
        moved.append(bool(bonus(right == 1, by, group=4, alpha=0.5).any()))
    assert any(moved)
    assert [step["ranking/groups"] for step in logged[:2]] == [sum(moved[:2]) / 2, sum(moved[2:]) / 2]
    grpo.main(words("tied", "rewards: [accuracy]\nrank_right_by: format\n"))
    for line in jsonl.read(tmp_path / "tied" / "completions.jsonl"):
        assert line["shaped_advantage"] == pytest.approx(line["advantage"], abs=1e-5)


@pytest.mark.parametrize(
    "more, message",
    [
        ("rewards: [format]\nrank_right_by: vowels", "add it to rewards"),
        ("rank_right_by: accuracy", "is the same for all that is right"),
        ("rank_right_by: honesty", "unknown reward 'honesty'"),
        ("rank_right_by: vowels\nadvantages: cubic", "say advantages: plain"),
        ("rank_right_by: vowels\nconstraints: [consistency=.9]", "and no constraints"),
        ("rank_right_by: vowels\nscale_rewards: batch", "leave scale_rewards at group"),
        ("rank_right_by: vowels\nrank_alpha: 2", "rank_alpha"),
        ("rank_alpha: 1", "setting 'rank_alpha' has no effect without rank_right_by"),
    ],
)
def test_settings_that_contradict_are_one_line(words, capsys, more, message):
    with pytest.raises(SystemExit) as exit:
        grpo.main(words("wrong", more))
    assert exit.value.code == 2
    assert message in capsys.readouterr().err


def test_unscored_completions_have_no_advantage():
    rewards = {"accuracy": [1.0, 1.0, math.nan, 0.0], "k": [1.0, 0.0, math.nan, 0.5]}
    rollouts = Rollouts(texts=[""] * 4, rewards=rewards, advantages=[0.0] * 4, clipped=[False] * 4)
    advantages, figures = Ranking("k", 0.5, {"accuracy": 1.0, "k": 0.0}).apply(rollouts, group=4)
    assert advantages[2] == 0
    assert advantages[0] > advantages[1] > advantages[3]
    assert figures == {"ranking/groups": 1.0}
