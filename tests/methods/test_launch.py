"""Two processes: a signal to the launcher stops both after a step, and the continued run ends as an undisturbed one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import waiting
from tiny_data import save_tiny_data, tiny_rows
from vlm_grpo.methods import launch
from vlm_grpo.methods.resume import attempts

ROOT = Path(__file__).parents[2]
TWO = ROOT / "configs/accelerate/cpu_two_processes.yaml"
CONFIG = """
model: {model}
data: {data}
gradient_checkpointing: false
learning_rate: 1e-2
lora_dropout: 0.1
logging_steps: 1
save_steps: 100
seed: 3
"""
SFT = CONFIG + "prompt: answer\nper_device_train_batch_size: 2\nmax_steps: 12\n"
GRPO = CONFIG + (
    "num_generations: 4\nper_device_train_batch_size: 4\nmax_completion_length: 6\nmax_steps: 12\n"
    "steps_per_generation: 2\nnum_iterations: 2\nrewards: [accuracy, format]\n"
)


@pytest.mark.parametrize(
    "method, text, family",
    [
        pytest.param("grpo", GRPO, "tiny_smolvlm", marks=pytest.mark.nightly),
        pytest.param("sft", SFT, "tiny_qwen", marks=pytest.mark.nightly),
        pytest.param("sft", SFT, "tiny_smolvlm", marks=pytest.mark.nightly),
        pytest.param("grpo", GRPO, "tiny_qwen", marks=pytest.mark.nightly),
    ],
)
def test_a_signal_to_the_launcher(method, text, family, request, tmp_path):
    data = save_tiny_data(tmp_path / "data", train=tiny_rows(12, split="train"))
    config = tmp_path / "config.yaml"
    config.write_text(text.format(model=request.getfixturevalue(family), data=data))
    undisturbed, stopped = tmp_path / "undisturbed", tmp_path / "stopped"
    assert finish(start(method, config, undisturbed)) == 0

    process = start(method, config, stopped, wait_at=5)
    while process.poll() is None and waiting.last_step(stopped) < 4:
        time.sleep(0.02)
    process.send_signal(signal.SIGUSR1)
    assert finish(process) == 85
    assert finish(start(method, config, stopped)) == 0

    ends = [(line["event"], line["step"]) for line in attempts.read(stopped) if line["event"] != "started"]
    assert ends == [("stopped", 5), ("done", 12)]
    for name in ("final/adapter_model.safetensors", "completions.jsonl", "seen.jsonl"):
        assert read(stopped / name) == read(undisturbed / name)


@pytest.mark.parametrize(
    "words, message", [(["vlm_grpo.training.sft"], "give an accelerate config"), (["absent.yaml", "m"], "is missing")]
)
def test_mistakes(words, message, capsys):
    with pytest.raises(SystemExit) as left:
        launch.main(words)
    assert left.value.code == 2
    assert message in capsys.readouterr().err


def test_help(capsys):
    launch.main(["--help"])
    assert "ACCELERATE_CONFIG MODULE" in capsys.readouterr().out


def start(method: str, config: Path, out: Path, *, wait_at: int | str = "") -> subprocess.Popen:
    command = [sys.executable, "-m", "vlm_grpo.training.launch", "--main_process_port", "0", str(TWO)]
    command += [f"waiting.{method}", "--config", str(config), "--output_dir", str(out)]
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": f"{ROOT}/src:{ROOT}/tests",
        "CUDA_VISIBLE_DEVICES": "",
        waiting.STEPS: str(wait_at),
    }
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def finish(process: subprocess.Popen) -> int:
    output, _ = process.communicate(timeout=400)
    sys.stdout.write(output.decode())
    return process.returncode


def read(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None
