"""Real runs of both methods on random tiny models: what they write, how they resume, what they refuse."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file

import waiting
from tiny_data import save_tiny_data, tiny_rows
from tiny_reward import VOWELS
from vlm_grpo.methods.grpo import command as grpo
from vlm_grpo.methods.sft import command as sft
from vlm_grpo.rewards import registry
from vlm_grpo.store import jsonl, manifest

ROOT = Path(__file__).parents[2]
COMMON = """
model: {model}
data: {data}
output_dir: {out}
per_device_train_batch_size: 4
gradient_checkpointing: false
learning_rate: 1e-2
logging_steps: 1
save_steps: 2
seed: 3
lora_dropout: 0.0
"""
GRPO = COMMON + "num_generations: 4\nmax_completion_length: 6\nmax_steps: 4\nbeta: 0.04\nloss_type: grpo\n"
SFT = COMMON + "prompt: answer\ntarget: bare\nmax_steps: 6\n"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_data(tmp_path_factory.mktemp("training") / "data", train=tiny_rows(24, split="train"))


def write_config(folder: Path, text: str, *, model: Path, data: Path, out: Path) -> list[str]:
    path = folder / "config.yaml"
    path.write_text(text.format(model=model, data=data, out=out))
    return ["--config", str(path)]


def weights(run: Path) -> dict:
    return load_file(run / "final" / "adapter_model.safetensors")


@pytest.mark.parametrize("family", ["tiny_qwen", "tiny_smolvlm", "tiny_internvl"])
def test_grpo_writes_a_complete_run(family, request, tmp_path, data, monkeypatch):
    model, out = request.getfixturevalue(family), tmp_path / "out"
    monkeypatch.setitem(registry.REWARDS, "vowels", VOWELS)
    config = write_config(tmp_path, GRPO, model=model, data=data, out=out)
    grpo.main([*config, "--rewards", "vowels", "format"])

    metrics = jsonl.read(out / "metrics.jsonl")
    assert [m["step"] for m in metrics] == [1, 2, 3, 4]
    assert all("reward" in m and "rewards/vowels/mean" in m and "kl" in m for m in metrics)
    assert metrics[0]["kl"] == pytest.approx(0, abs=1e-6)
    completions = jsonl.read(out / "completions.jsonl")
    assert len(completions) == 4 * 4
    for step in range(4):
        group = completions[4 * step : 4 * step + 4]
        assert len({c["row_id"] for c in group}) == 1
        assert sum(c["advantage"] for c in group) == pytest.approx(0, abs=1e-4)
        assert sum(c["clipped"] for c in group) / 4 == metrics[step]["completions/clipped_ratio"]
        assert all(c["rewards"] == {"vowels": VOWELS.score(c["text"], "", rule="strict"), "format": 0.0} for c in group)
        assert (data / group[0]["images"][0]).is_file()
    written = manifest.read(out, kind="grpo")
    assert written["counts"] == {
        "rows": 24,
        "steps": 4,
        "trainable_parameters": written["counts"]["trainable_parameters"],
    }
    assert written["seeds"] == {"seed": 3, "row_seed": 42}
    base = json.loads((out / "final" / "base.json").read_text())
    assert base["fingerprint"] == written["inputs"]["base"]
    moved = {name: tensor.abs().sum() > 0 for name, tensor in weights(out).items() if "lora_B" in name}
    assert moved
    assert all(moved.values()), "every adapted layer has moved from its zero start"


@pytest.mark.parametrize("family", ["tiny_qwen", "tiny_internvl"])
def test_sft_learns_and_writes_a_complete_run(family, request, tmp_path, data):
    model, out = request.getfixturevalue(family), tmp_path / "out"
    sft.main(write_config(tmp_path, SFT, model=model, data=data, out=out))
    losses = [m["loss"] for m in jsonl.read(out / "metrics.jsonl")]
    assert len(losses) == 6
    assert losses[-1] < losses[0]
    assert manifest.read(out, kind="sft")["counts"]["steps"] == 6
    assert all(t.abs().sum() > 0 for name, t in weights(out).items() if "lora_B" in name)


def start(config: list[str], method: str, *, wait_at: int | str = "") -> subprocess.Popen:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}/src:{ROOT}/tests"}
    environment[waiting.STEPS] = str(wait_at)
    command = [sys.executable, "-m", f"waiting.{method}", *config]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_a_killed_run_resumes_and_sees_each_row_once(tiny_qwen, tmp_path, data):
    out = tmp_path / "out"
    config = write_config(tmp_path, GRPO, model=tiny_qwen, data=data, out=out)
    config += ["--max_steps", "26", "--save_steps", "3", "--save_total_limit", "2"]
    process = start(config, "grpo", wait_at=9)
    metrics = out / "metrics.jsonl"
    while process.poll() is None and waiting.last_step(out) < 8:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    torn = out / "checkpoint-9"
    torn.mkdir()
    (torn / "adapter_model.safetensors").write_bytes(b"half")

    process = start(config, "grpo")
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert f"skipping {torn}: has no complete.json: saving or removing it was cut off" in output
    assert f"resuming from {out}/checkpoint-6" in output
    assert [m["step"] for m in jsonl.read(metrics)] == list(range(1, 27))
    completions = jsonl.read(out / "completions.jsonl")
    assert [c["step"] for c in completions] == [step for step in range(1, 27) for _ in range(4)]
    epoch = [completions[4 * i]["row_id"] for i in range(24)]
    assert sorted(epoch) == sorted(row.id for row in tiny_rows(24, split="train"))


@pytest.mark.parametrize(
    "words,message",
    [
        (["--learning_rate", "0.5"], "belongs to another run (learning_rate: 0.25 there, 0.5 asked)"),
        (["--num_rows", "500"], "has 24 rows, num_rows asks for 500"),
        (["--rewards", "acuracy"], "unknown reward 'acuracy'; known: accuracy, credit, format"),
        (["--split", "test"], "has no split 'test'"),
        (["--prompt", "sonnet"], "unknown prompt 'sonnet'"),
        (["--rollout_cache", "perhaps"], "unknown rollout_cache 'perhaps'"),
        (["--max_pixels", "3136", "--longest_edge", "100"], "longest_edge has no effect on the family qwen"),
        (["--model", "/nowhere/model"], "no such folder"),
        (["--dtype", "float8"], "unknown dtype 'float8'"),
        (["--report_to", "mlflow"], "report_to: mlflow is not installed; pip install mlflow"),
        (["--max_completion_length", "100000"], "leaves no room for a prompt in the model"),
        (["--reward_weights", "0", "0"], "reward_weights are all 0"),
        (["--generation_kwargs", '{"suppress_tokens": [3, 99999]}'], "suppress_tokens: the model has no token 99999"),
    ],
)
def test_mistakes_leave_with_one_line_and_code_2(words, message, tiny_qwen, tmp_path, data, capsys):
    out = tmp_path / "out"
    config = write_config(tmp_path, GRPO, model=tiny_qwen, data=data, out=out)
    if "belongs" in message:
        grpo.main([*config, "--learning_rate", "0.25", "--max_steps", "1"])
        capsys.readouterr()
        words = [*words, "--max_steps", "1"]
    with pytest.raises(SystemExit) as left:
        grpo.main([*config, *words])
    assert left.value.code == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert message in lines[0]


def test_dry_run_needs_neither_model_nor_data_and_writes_nothing(tmp_path, capsys):
    out = tmp_path / "out"
    config = write_config(tmp_path, GRPO, model=Path("org/absent"), data=tmp_path / "absent", out=out)
    grpo.main([*config, "--dry-run"])
    shown = capsys.readouterr().out
    assert "org/absent (not on this machine" in shown
    assert "not built yet" in shown
    assert "loss_type: grpo" in shown
    assert not out.exists()


def test_two_processes_over_gloo_share_one_run(tiny_qwen, tmp_path, data):
    out = tmp_path / "out"
    config = write_config(tmp_path, GRPO, model=tiny_qwen, data=data, out=out)
    accelerate = [sys.executable, "-m", "accelerate.commands.launch", "--main_process_port", "0", "--config_file"]
    command = [*accelerate, str(ROOT / "configs/accelerate/cpu_two_processes.yaml"), "-m", "vlm_grpo.training.grpo"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src"), "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([*command, *config], env=environment, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    completions = jsonl.read(out / "completions.jsonl")
    assert [c["step"] for c in completions] == [step for step in range(1, 5) for _ in range(8)]
    for step in range(4):
        assert len({c["row_id"] for c in completions[8 * step : 8 * step + 8]}) == 2
    assert manifest.read(out, kind="grpo")["counts"]["steps"] == 4
    assert checkpoint_names(out) == ["checkpoint-2", "checkpoint-4"]


def checkpoint_names(out: Path) -> list[str]:
    return sorted(path.parent.name for path in out.glob("checkpoint-*/complete.json"))
