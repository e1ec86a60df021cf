"""The reference that follows the policy: by TRL's rule, under LoRA as a second adapter, kept through a resume."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from torch import nn

from tiny_data import save_tiny_data, tiny_rows
from tiny_reward import VOWELS
from vlm_grpo.methods.grpo import command as grpo
from vlm_grpo.methods.grpo import reference
from vlm_grpo.methods.grpo.reference import FILE, POLICY, REFERENCE, SyncReferenceAdapter, adapter_parameters
from vlm_grpo.rewards import registry
from vlm_grpo.store import jsonl

CONFIG = """
model: {model}
data: {data}
output_dir: {out}
rewards: [vowels]
num_generations: 4
per_device_train_batch_size: 4
max_completion_length: 6
max_steps: 5
learning_rate: 1e-2
beta: 0.04
loss_type: grpo
lora_dropout: 0.0
rollout_cache: "true"
gradient_checkpointing: false
logging_steps: 1
save_steps: 5
seed: 3
"""
FOLLOWS = ["--sync_ref_model", "true", "--ref_model_sync_steps", "2"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_data(tmp_path_factory.mktemp("reference") / "data", train=tiny_rows(12, split="train"))


@pytest.fixture
def train(tmp_path, data, monkeypatch):
    """Run GRPO of a model as `name` with further words; its folder and its logged KL, one a step."""
    monkeypatch.setitem(registry.REWARDS, "vowels", VOWELS)

    def run(model: Path, name: str, *words: str) -> tuple[Path, list[float]]:
        path = tmp_path / f"{name}.yaml"
        path.write_text(CONFIG.format(model=model, data=data, out=tmp_path / name))
        grpo.main(["--config", str(path), *words])
        return tmp_path / name, [record["kl"] for record in jsonl.read(tmp_path / name / "metrics.jsonl")]

    return run


def texts(run: Path, *, until: int) -> list[str]:
    return [c["text"] for c in jsonl.read(run / "completions.jsonl") if c["step"] <= until]


@pytest.mark.parametrize("family", ["tiny_qwen", "tiny_smolvlm"])
def test_with_mixup_1_the_kl_is_zero_right_after_a_sync(family, request, train):
    model = request.getfixturevalue(family)
    stays, far = train(model, "stays")
    follows, near = train(model, "follows", *FOLLOWS, "--ref_model_mixup_alpha", "1.0")
    assert texts(follows, until=2) == texts(stays, until=2), "nothing differs before the first sync"
    assert near[:2] == far[:2]
    assert near[2] == pytest.approx(0, abs=1e-9)
    assert near[4] == pytest.approx(0, abs=1e-9)
    assert min(far[2:]) > 1e-5
    assert near[3] > 1e-6, "between two syncs the policy walks away"
    check_that_only_the_policy_is_an_adapter(follows)
    (follows / "manifest.json").unlink()
    shutil.rmtree(follows / "final")
    train(model, "follows", *FOLLOWS, "--ref_model_mixup_alpha", "1.0")
    check_that_only_the_policy_is_an_adapter(follows)  # its `final` is now made from the last checkpoint


def check_that_only_the_policy_is_an_adapter(run: Path) -> None:
    saved = sorted(str(path.parent.relative_to(run)) for path in run.rglob("adapter_model.safetensors"))
    assert saved == ["checkpoint-5", "final"]
    assert not list((run / "final").rglob("*ref*"))
    policy, kept = load_file(run / "final" / "adapter_model.safetensors"), load_file(run / "checkpoint-5" / FILE)
    assert kept.keys() == policy.keys()
    assert any(not torch.equal(kept[name], policy[name]) for name in policy), "the last sync was at step 4"


def test_both_paths_follow_alike(tiny_qwen, train):
    mixed = [*FOLLOWS, "--ref_model_mixup_alpha", "0.9"]
    stock, expected = train(tiny_qwen, "stock", "--fast", "off", *mixed)
    fast, kl = train(tiny_qwen, "fast", "--fast", "on", *mixed)
    assert texts(fast, until=5) == texts(stock, until=5)
    assert kl == pytest.approx(expected, rel=1e-3, abs=1e-9)
    assert 1e-9 < kl[2] < kl[1], "a tenth of the reference stays behind"


def adapted(*, dropout: float = 0.0) -> Any:
    torch.manual_seed(0)
    config = LoraConfig(r=2, lora_alpha=4, target_modules=["0"], lora_dropout=dropout)
    return get_peft_model(nn.Sequential(nn.Linear(5, 3)), config)


def test_a_sync_moves_the_reference_by_alpha_towards_the_policy():
    model = adapted()
    reference.add_reference(model)
    policy, follower = (adapter_parameters(model, name) for name in (POLICY, REFERENCE))
    for parameter in policy.values():
        parameter.data.normal_()
    before = {name: p.detach().clone() for name, p in follower.items()}
    callback = SyncReferenceAdapter(model)
    args = type("Args", (), {"ref_model_sync_steps": 4, "ref_model_mixup_alpha": 0.9})
    for step in (3, 5):
        callback.on_step_end(args, type("State", (), {"global_step": step}), None)
    assert all(torch.equal(follower[name], before[name]) for name in policy)
    callback.on_step_end(args, type("State", (), {"global_step": 8}), None)
    for name in policy:
        torch.testing.assert_close(follower[name], 0.1 * before[name] + 0.9 * policy[name])


def test_the_reference_starts_as_the_base_and_trains_and_drops_nothing():
    model = adapted(dropout=0.5)
    inputs = torch.randn(4, 5)
    state = torch.get_rng_state()
    reference.add_reference(model)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.active_adapters == [POLICY]
    assert not any(p.requires_grad for p in adapter_parameters(model, REFERENCE).values())
    with model.disable_adapter():
        base = model(inputs)
    adapter_parameters(model, POLICY)["base_model.model.0.lora_B.weight"].data.normal_()
    model.train()
    model.set_adapter(REFERENCE)
    assert torch.equal(model(inputs), base)
    for parameter in adapter_parameters(model, REFERENCE).values():
        parameter.data.normal_()
    assert torch.equal(model(inputs), model(inputs)), "no mask is drawn for the reference in training mode"
