"""Rewards held to a level: the multiplier's law, TRL's aggregation where it is fixed, settings that contradict."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tiny_reward import VOWELS
from vlm_grpo.methods.grpo import command as grpo
from vlm_grpo.methods.grpo.completions import Rollouts
from vlm_grpo.methods.grpo.constraints import Constraints, normalised, parse_levels
from vlm_grpo.rewards import registry
from vlm_grpo.rows.records import Row
from vlm_grpo.store import jsonl


def consonants(completion: str, row: Row, *, rule: str, view: object = None) -> float:
    return float(sum(letter in "bcdfghj" for letter in completion))


CONSONANTS = replace(VOWELS, name="consonants", score=consonants)


def rollouts(of_constraint: list[float], advantages: list[float] | None = None) -> Rollouts:
    task = advantages or [1.0, -1.0] * (len(of_constraint) // 2)
    count = len(of_constraint)
    return Rollouts(texts=[""] * count, rewards={"k": of_constraint}, advantages=task, clipped=[False] * count)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.floats(0, 1))
def test_a_multiplier_grows_while_its_mean_is_below_the_level(means, level):
    constraints = Constraints({"k": level}, rate=0.3, most=2.0)
    expected = 0.0
    for mean in means:
        _, figures = constraints.apply(rollouts([mean] * 4), group=2)
        assert figures["constraints/k/multiplier"] == pytest.approx(expected)
        assert figures["constraints/k/slack"] == pytest.approx(mean - level, abs=1e-6)
        expected = min(max(expected + 0.3 * (level - mean), 0), 2)
        assert constraints.multipliers["k"] == pytest.approx(expected, abs=1e-5)
        expected = constraints.multipliers["k"]


def test_what_cannot_be_scored_has_no_part():
    constraints = Constraints({"k": 0.5}, rate=1.0, most=9.0, start=1.0)
    _, figures = constraints.apply(rollouts([math.nan] * 4), group=2)
    assert figures == {"constraints/k/multiplier": 1.0}
    assert constraints.multipliers == {"k": 1.0}
    relative = normalised(torch.tensor([0.0, 1.0, math.nan, math.nan]), group=4)
    assert relative[2:].tolist() == [0, 0]
    assert relative[0].item() == pytest.approx(-relative[1].item())


@pytest.fixture
def words(short_run, monkeypatch):
    for reward in (VOWELS, CONSONANTS):
        monkeypatch.setitem(registry.REWARDS, reward.name, reward)
    return short_run


def test_a_fixed_multiplier_is_trls_normalize_then_sum(words, tmp_path):
    """The same rollouts, the same advantages, the same losses, three steps on."""
    two = "rewards: [vowels, consonants]\nreward_weights: [1, 0.7]\nmulti_objective_aggregation: normalize_then_sum\n"
    grpo.main(words("trl", two, steps=3))
    ours = "rewards: [vowels]\nconstraints: [consonants=50]\nconstraint_start: 0.7\nconstraint_rate: 0\n"
    grpo.main(words("ours", ours, steps=3))
    theirs, own = (jsonl.read(tmp_path / name / "completions.jsonl") for name in ("trl", "ours"))
    assert [c["text"] for c in own] == [c["text"] for c in theirs]
    assert [c["rewards"] for c in own] == [c["rewards"] for c in theirs]
    advantages = [c["shaped_advantage"] for c in own]
    assert max(map(abs, advantages)) > 1
    assert advantages == pytest.approx([c["advantage"] for c in theirs], abs=1e-4)
    logged = jsonl.read(tmp_path / "ours" / "metrics.jsonl")
    assert [m["constraints/consonants/multiplier"] for m in logged[:3]] == [0.7] * 3
    mean = logged[0]["rewards/consonants/mean"]
    assert logged[0]["constraints/consonants/slack"] == pytest.approx(mean - 50)


@pytest.mark.parametrize(
    "more, message",
    [
        ("constraints: [consistency]", "is not of the form REWARD=LEVEL"),
        ("constraints: [consistency=high]", "is not of the form REWARD=LEVEL"),
        ("constraints: [consistency=.9, consistency=.8]", "names consistency twice"),
        ("constraints: [honesty=.9]", "unknown reward 'honesty'"),
        ("constraints: [consistency=1.5]", "lies between 0.0 and 1.0"),
        ("constraints: [consistency=.9]\nadvantages: cubic", "say advantages: plain"),
        ("constraints: [consistency=.9]\nscale_rewards: batch", "leave scale_rewards at group"),
        ("constraints: [consistency=.9]\nconstraint_rate: -1", "constraint_rate"),
        ("constraints: [consistency=.9]\nconstraint_start: 6", "is above constraint_max"),
        ("constraint_max: 3", "setting 'constraint_max' has no effect without constraints"),
    ],
)
def test_settings_that_contradict_are_one_line(words, capsys, more, message):
    with pytest.raises(SystemExit) as exit:
        grpo.main(words("wrong", more))
    assert exit.value.code == 2
    assert message in capsys.readouterr().err


def test_levels_are_read():
    assert parse_levels(["consistency=0.95", "format=1"]) == {"consistency": 0.95, "format": 1.0}
