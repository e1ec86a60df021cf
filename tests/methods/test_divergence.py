"""A run that dies inside stops at the first step that is not finite, and nothing of it is taken for a result."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from tiny_data import save_tiny_data, tiny_rows
from tiny_reward import VOWELS
from vlm_grpo.methods import divergence, status
from vlm_grpo.methods.grpo import command as grpo
from vlm_grpo.methods.grpo.trainer import StudyGRPOTrainer
from vlm_grpo.methods.resume import attempts
from vlm_grpo.methods.sft import command as sft
from vlm_grpo.methods.sft.trainer import StudySFTTrainer
from vlm_grpo.rewards import registry
from vlm_grpo.store import jsonl, manifest

ROOT = Path(__file__).parents[2]
CONFIG = """
model: {model}
data: {data}
output_dir: {out}
per_device_train_batch_size: 4
gradient_checkpointing: false
lora_dropout: 0.0
logging_steps: 1
save_steps: 1
max_steps: 6
seed: 3
"""
GRPO = CONFIG + "num_generations: 4\nmax_completion_length: 4\nbeta: 0.0\nrewards: [vowels]\n"
SFT = CONFIG + "prompt: answer\ntarget: bare\n"
METHODS = [pytest.param(sft, SFT, StudySFTTrainer, id="sft"), pytest.param(grpo, GRPO, StudyGRPOTrainer, id="grpo")]
BEYOND = "1e38"
"""A learning rate whose first step leaves the range of float32."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_data(tmp_path_factory.mktemp("diverging") / "data", train=tiny_rows(12, split="train"))


@pytest.fixture(autouse=True)
def vowels(monkeypatch):
    monkeypatch.setitem(registry.REWARDS, "vowels", VOWELS)


def words(folder: Path, config: str, *, model: Path, data: Path, **settings: str) -> list[str]:
    path = folder / "config.yaml"
    path.write_text(config.format(model=model, data=data, out=folder / "out"))
    return ["--config", str(path), *[word for name, value in settings.items() for word in (f"--{name}", value)]]


def dies(method, command: list[str], capsys) -> str:
    """The one line with which the command ends."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        method.main(command)
    assert left.value.code == 2
    shown = capsys.readouterr().err
    lines = [line for line in shown.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert shown.rstrip().endswith(lines[0])
    return lines[0]


def check_nothing_is_taken_for_a_result(out: Path, *, step: int) -> None:
    """It died in optimiser step `step`."""
    assert not (out / "final").exists()
    assert not manifest.exists(out)
    logged = jsonl.read(out / "metrics.jsonl")
    assert [record["step"] for record in logged] == list(range(1, step + 1))
    assert "not_finite" in logged[-1]
    assert attempts.read(out)[-1]["event"] == "diverged"
    assert status.status(out)["state"] == "died: not finite"
    for checkpoint in out.glob("checkpoint-*"):
        tensors = load_file(checkpoint / "adapter_model.safetensors")
        assert all(bool(tensor.isfinite().all()) for tensor in tensors.values())


@pytest.mark.parametrize("method, config, trainer", METHODS)
def test_weights_that_leave_the_range_end_the_run(method, config, trainer, tiny_qwen, data, tmp_path, capsys):
    command = words(tmp_path, config, model=tiny_qwen, data=data, learning_rate=BEYOND, warmup_steps="1")
    line = dies(method, command, capsys)
    assert "training died after" in line
    assert "lower learning_rate (it was 1e+38)" in line
    last = jsonl.read(tmp_path / "out" / "metrics.jsonl")[-1]
    assert last["not_finite"] in line
    check_nothing_is_taken_for_a_result(tmp_path / "out", step=last["step"])


def spoil_from(step: int, what: str, kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a trainer of `kind` meet `what` is not finite in optimiser step `step`."""
    real = kind.compute_loss

    def compute_loss(self, *args, **kwargs):
        loss = real(self, *args, **kwargs)
        if self.state.global_step + 1 < step:
            return loss
        if what == "gradient":  # the square root's slope at 0
            parameter = next(p for _, p in self._trained())
            return loss + (parameter * 0).abs().sum().sqrt()
        return loss * torch.tensor(float(what))

    monkeypatch.setattr(kind, "compute_loss", compute_loss)


@pytest.mark.parametrize(
    "what, named", [("nan", "the loss"), ("inf", "the loss"), ("gradient", "the gradient of base_model.model.")]
)
@pytest.mark.parametrize("method, config, trainer", METHODS)
def test_the_first_step_is_the_last_and_the_checkpoint_before_stays(
    method, config, trainer, what, named, tiny_qwen, data, tmp_path, capsys, monkeypatch
):
    spoil_from(3, what, trainer, monkeypatch)
    command = words(tmp_path, config, model=tiny_qwen, data=data, learning_rate="1e-3")
    line = dies(method, command, capsys)
    assert f"training died after 2 steps: {named}" in line
    assert "in step 3 of 6; the last finite checkpoint is checkpoint-2" in line
    check_nothing_is_taken_for_a_result(tmp_path / "out", step=3)
    assert dies(method, command, capsys) == line, "the same command dies the same way"
    check_nothing_is_taken_for_a_result(tmp_path / "out", step=3)


def test_a_bad_micro_batch_counts_though_the_next_is_good(tiny_qwen, data, tmp_path, capsys, monkeypatch):
    real = StudySFTTrainer.compute_loss
    calls = []

    def compute_loss(self, *args, **kwargs):
        calls.append(self.state.global_step)
        return real(self, *args, **kwargs) + (torch.inf if len(calls) == 3 else 0.0)

    monkeypatch.setattr(StudySFTTrainer, "compute_loss", compute_loss)
    command = words(tmp_path, SFT, model=tiny_qwen, data=data, gradient_accumulation_steps="2")
    assert "training died after 1 steps: the loss" in dies(sft, command, capsys)


def test_gradients_are_looked_at_without_clipping_too(tiny_qwen, data, tmp_path, capsys, monkeypatch):
    spoil_from(2, "gradient", StudySFTTrainer, monkeypatch)
    command = words(tmp_path, SFT, model=tiny_qwen, data=data, max_grad_norm="0")
    line = dies(sft, command, capsys)
    assert "the gradient of base_model.model." in line
    assert "or with max_grad_norm: 1" in line


def test_rollouts_from_logits_that_are_not_finite_are_no_crash(tiny_qwen, data, tmp_path, capsys, monkeypatch):
    real = StudyGRPOTrainer._generate_single_turn

    def spoiled(self, *args, **kwargs):
        head = self._inner_model().get_output_embeddings()
        hook = head.register_forward_hook(lambda module, inputs, logits: logits * torch.nan, prepend=True)
        try:
            return real(self, *args, **kwargs)
        finally:
            hook.remove()

    monkeypatch.setattr(StudyGRPOTrainer, "_generate_single_turn", spoiled)
    line = dies(grpo, words(tmp_path, GRPO, model=tiny_qwen, data=data), capsys)
    assert "training died after 0 steps: a logit of the rollouts is not finite" in line
    assert "no checkpoint was saved" in line


def test_a_checkpoint_of_a_dead_run_is_not_gone_on_from(tiny_qwen, data, tmp_path, capsys, monkeypatch):
    """Earlier versions saved such checkpoints."""
    spoil_from(3, "nan", StudySFTTrainer, monkeypatch)
    command = words(tmp_path, SFT, model=tiny_qwen, data=data)
    dies(sft, command, capsys)
    weights = tmp_path / "out" / "checkpoint-2" / "adapter_model.safetensors"
    tensors = load_file(weights)
    name = sorted(tensors)[0]
    tensors[name][0] = torch.nan
    save_file(tensors, weights, metadata={"format": "pt"})
    assert f"{name} is not finite" in dies(sft, command, capsys)


def test_the_filter_that_hides_a_loss_cannot_be_set(tiny_qwen, data, tmp_path, capsys):
    command = words(tmp_path, SFT, model=tiny_qwen, data=data, logging_nan_inf_filter="true")
    assert "setting 'logging_nan_inf_filter' has no effect" in dies(sft, command, capsys)


@pytest.mark.parametrize(
    "method, config",
    [
        pytest.param("sft", SFT, marks=pytest.mark.nightly),
        ("grpo", GRPO.replace("[vowels]", "[format]")),
    ],
)
def test_two_processes_stop_together_with_code_2(method, config, tiny_qwen, data, tmp_path):
    launcher = [sys.executable, "-m", "vlm_grpo.training.launch", "--main_process_port", "0"]
    command = words(tmp_path, config, model=tiny_qwen, data=data, learning_rate=BEYOND)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src"), "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [*launcher, str(ROOT / "configs/accelerate/cpu_two_processes.yaml"), f"vlm_grpo.training.{method}", *command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert "training died after" in lines[0]
    last = jsonl.read(tmp_path / "out" / "metrics.jsonl")[-1]
    check_nothing_is_taken_for_a_result(tmp_path / "out", step=last["step"])


def test_one_large_gradient_is_finite():
    tensors = [("small", torch.ones(3)), ("large", torch.tensor([3e38, -3e38])), ("none", torch.zeros(0))]
    assert divergence._first_not_finite(tensors) is None
    assert divergence._first_not_finite([*tensors, ("bad", torch.tensor([1.0, torch.nan]))]) == "bad"
    assert divergence._first_not_finite([]) is None


@pytest.mark.parametrize("scale, culprit", [(65536.0, None), (0.5, "the gradient of weight")])
def test_a_gradient_that_overflows_is_float16_s_way_to_find_its_scale(scale, culprit):
    layer = torch.nn.Linear(2, 2, bias=False)
    layer.weight.grad = torch.full((2, 2), torch.inf)
    scaler = torch.amp.GradScaler("cpu", init_scale=scale)
    scaler.scale(torch.ones(1))
    trainer = SimpleNamespace(
        _sampled=None,
        _losses_are_finite=torch.tensor(True),
        accelerator=SimpleNamespace(scaler=scaler),
        _trained=lambda: list(layer.named_parameters()),
    )
    assert divergence.StopsWhenDiverged._culprit_before_step(trainer) == culprit
