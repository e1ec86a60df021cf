"""Advantages that are shaped, what is logged of rollouts, and what is said before the first step."""

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tiny_data import save_tiny_data, tiny_rows
from tiny_reward import VOWELS
from vlm_grpo.errors import UserError
from vlm_grpo.methods.grpo import command as grpo
from vlm_grpo.methods.grpo import preflight
from vlm_grpo.methods.grpo.advantages import cubic, share_without_variance
from vlm_grpo.methods.grpo.completions import Rollouts
from vlm_grpo.methods.grpo.watch import figures
from vlm_grpo.rewards import registry
from vlm_grpo.rows.records import Row
from vlm_grpo.store import jsonl
from vlm_grpo.tasks.probes import shares

CONFIG = """
model: {model}
data: {data}
output_dir: {out}
rewards: [vowels, format]
num_generations: 4
per_device_train_batch_size: 8
max_completion_length: 6
max_steps: 4
learning_rate: 1e-2
beta: 0.0
loss_type: grpo
lora_dropout: 0.0
rollout_cache: "true"
gradient_checkpointing: false
logging_steps: 1
save_strategy: "no"
seed: 3
"""
GROUPS = st.lists(st.lists(st.floats(-4, 4, width=32), min_size=3, max_size=3), min_size=1, max_size=4)


@given(GROUPS)
def test_cubic_keeps_each_group_s_mean_size_signs_and_order(groups):
    plain = torch.tensor(groups)
    shaped = cubic(plain.flatten(), group=3).view_as(plain)
    torch.testing.assert_close(shaped.abs().mean(1), plain.abs().mean(1), rtol=1e-4, atol=1e-30)
    assert bool((shaped * plain >= 0).all())
    assert torch.equal(shaped.gather(1, plain.argsort(1)), shaped.sort(1).values)
    torch.testing.assert_close(cubic(8 * plain.flatten(), group=3), 8 * shaped.flatten())


def test_cubic_favours_what_is_rare_in_a_group():
    """One success in nine (reference, section 3): +2.67 and -0.33 have cubes 18.96 and -0.037."""
    plain = torch.tensor([8 / 3] + [-1 / 3] * 8)
    shaped = cubic(torch.cat([plain, torch.zeros(9)]), group=9)
    assert shaped[0] / shaped[1] == pytest.approx(-512)
    assert shaped[0].item() == pytest.approx((16 / 3) * 512 / 520)
    assert not shaped[9:].any(), "a group without variance stays so"


def test_groups_without_variance():
    advantages = torch.tensor([0.0, 0.0, 1.0, -1.0, 0.3, 0.3])
    assert share_without_variance(advantages, group=2) == pytest.approx(2 / 3), "the last as after a batch's mean"


def test_a_reward_that_is_the_same_within_every_group_is_told():
    lines = preflight.report(
        {"accuracy": [0, 1, 0, 0], "format": [1, 1, 0, 0], "length": [math.nan, 2, 3, 3], "none": [math.nan] * 4},
        group=2,
    )
    assert lines == [
        "preflight: 4 completions of the base, 2 a prompt, earn (mean, spread): accuracy 0.25 (0.433), "
        "format 0.5 (0.5), length 2.67 (0.471) of 3 scored, none none scored",
        "preflight: format is the same within every group (2): so far it cannot teach",
        "preflight: length is the same within every group (2): so far it cannot teach",
        "preflight: none scores none of these rows: is it a reward of their task?",
    ]


def test_rewards_that_all_score_nothing_are_refused():
    preflight.check_scored({"iou": [math.nan] * 2, "format": [math.nan, 0.0]}, task="vsr")
    with pytest.raises(UserError, match=r"no reward scores any .* \(iou, mask_iou\), whose rows are of the task vsr"):
        preflight.check_scored({"iou": [math.nan] * 2, "mask_iou": [math.nan] * 2}, task="vsr")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_data(tmp_path_factory.mktemp("watching") / "data", train=tiny_rows(12, split="train"))


@pytest.fixture
def train(tiny_qwen, tmp_path, data, monkeypatch):
    """Run GRPO as `name` with further words; its logged metrics and its completions."""
    monkeypatch.setitem(registry.REWARDS, "vowels", VOWELS)

    def run(name: str, *words: str) -> tuple[list[dict], list[dict]]:
        path = tmp_path / f"{name}.yaml"
        path.write_text(CONFIG.format(model=tiny_qwen, data=data, out=tmp_path / name))
        grpo.main(["--config", str(path), *words])
        return jsonl.read(tmp_path / name / "metrics.jsonl"), jsonl.read(tmp_path / name / "completions.jsonl")

    return run


def test_length_and_diversity_of_thoughts_are_watched():
    row = Row.model_validate(tiny_rows(1)[0]).model_dump_json()
    texts = ["<think> the dog is left of it </think> <answer> True </answer>"] * 2
    texts += ["<think> The dog is right of us, I think. </think> <answer> False </answer>", "<answer> True </answer>"]
    rollouts = Rollouts(texts=texts, rewards={}, advantages=[0.0] * 4, clipped=[False] * 4)
    watched = figures(rollouts, [row] * 4, group=2)
    assert watched["completions/thought_words"] == (6 + 6 + 8) / 4
    assert watched["completions/distinct_4grams"] == (3 + 5) / (3 + 3 + 5)


def test_both_paths_learn_from_cubic_advantages(train, capsys):
    plain, unshaped = train("plain", "--fast", "off", "--max_steps", "1")
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("preflight: ")]
    stock, texts = train("stock", "--fast", "off", "--advantages", "cubic")
    fast, fast_texts = train("fast", "--fast", "on", "--advantages", "cubic")
    assert fast_texts == texts
    for ours, trl in zip(fast, stock, strict=True):
        assert ours["loss"] == pytest.approx(trl["loss"], abs=1e-4)
        assert ours["grad_norm"] == pytest.approx(trl["grad_norm"], rel=1e-3)
    check_advantages(stock[0], texts[:8], plain[0], unshaped)
    check_probes(stock, texts)
    earned = [c["rewards"]["vowels"] for c in unshaped]
    assert f"earn (mean, spread): vowels {sum(earned) / 8:.3g} (" in lines[0]
    assert lines[1:] == ["preflight: format is the same within every group (2): so far it cannot teach"]


def check_advantages(cubed: dict, texts: list[dict], plain: dict, unshaped: list[dict]) -> None:
    """The first step of both kinds has the same rollouts."""
    before = torch.tensor([c["advantage"] for c in texts])
    after = torch.tensor([c["shaped_advantage"] for c in texts])
    assert [c["advantage"] for c in unshaped] == before.tolist()
    assert "shaped_advantage" not in unshaped[0]
    assert torch.equal(after, cubic(before, group=4))
    assert cubed["advantages/plain/mean"] == pytest.approx(0, abs=1e-5)
    assert cubed["advantages/plain/max"] == before.abs().max().item()
    assert cubed["advantages/cubic/mean"] == pytest.approx(after.mean().item())
    assert cubed["advantages/cubic/max"] == after.abs().max().item()
    assert plain["loss"] == pytest.approx(0, abs=1e-5)
    assert cubed["loss"] == pytest.approx(-after.mean().item(), abs=1e-4), "each row of the mean has ratio 1"
    assert cubed["grad_norm"] != pytest.approx(plain["grad_norm"], rel=1e-2)


def check_probes(metrics: list[dict], texts: list[dict]) -> None:
    """Each step's figures are those of its own completions."""
    row = Row.model_validate(tiny_rows(1)[0])
    for number, logged in enumerate(metrics):
        step = texts[8 * number : 8 * number + 8]
        expected = shares([c["text"] for c in step], [row] * 8)
        assert {name: logged[f"probes/{name}/mean"] for name in expected} == expected
        same = [len({c["advantage"] for c in step[start : start + 4]}) == 1 for start in (0, 4)]
        assert logged["groups/without_variance"] == sum(same) / 2
        assert logged["completions/thought_words"] == 0
        assert "completions/distinct_4grams" not in logged, "no thought says four words"


def test_a_run_whose_rewards_are_another_tasks_ends_in_a_line(train, capsys):
    with pytest.raises(SystemExit) as left:
        train("other", "--rewards", "iou", "mask_iou", "--reward_weights", "1", "1")
    assert left.value.code == 2
    told = capsys.readouterr().err
    assert "preflight: iou scores none of these rows" in told
    assert "error: no reward scores any of the first rollouts (iou, mask_iou), whose rows are of the task " in told
