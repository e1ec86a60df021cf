"""Real processes struck at random moments, by SIGKILL and by SIGUSR1: each run still ends as an undisturbed one.

Three strikes in the default suite; `bash scripts/dev/kill_campaign.sh` makes twenty on each method and
family.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tiny_data import save_tiny_data, tiny_rows
from vlm_grpo.methods.resume import attempts
from vlm_grpo.store import jsonl, manifest

ROOT = Path(__file__).parents[2]
COMMON = """
model: {model}
data: {data}
gradient_checkpointing: false
learning_rate: 1e-2
lora_dropout: 0.1
logging_steps: 1
save_steps: 1
save_total_limit: 2
"""
CONFIGS = {
    "sft": COMMON + "prompt: answer\nper_device_train_batch_size: 4\n",
    "grpo": COMMON
    + "num_generations: 4\nper_device_train_batch_size: 4\nmax_completion_length: 12\nrewards: [accuracy, format]\n"
    + "steps_per_generation: 2\nnum_iterations: 2\n",
}
LOGS = ("completions.jsonl", "seen.jsonl")


@pytest.mark.nightly
def test_one_strike(tiny_qwen, tmp_path):
    campaign("grpo", tiny_qwen, tmp_path, strikes=1, steps=16, seed=20)


@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.parametrize("family", ["tiny_qwen", "tiny_smolvlm"])
@pytest.mark.parametrize("method", ["sft", "grpo"])
def test_twenty_strikes(method, family, request, tmp_path):
    campaign(method, request.getfixturevalue(family), tmp_path, strikes=20, steps=400, seed=21)


def campaign(method: str, model: Path, folder: Path, *, strikes: int, steps: int, seed: int) -> None:
    """Strike runs of `steps` steps `strikes` times while they train, and compare each with one left alone.

    Where a strike comes too late, the run has ended and is compared; the next strikes fall on another one.
    """
    data = save_tiny_data(folder / "data", train=tiny_rows(12, split="train"))
    config = folder / "config.yaml"
    config.write_text(CONFIGS[method].format(model=model, data=data) + f"max_steps: {steps}\n")
    alone = folder / "alone"
    assert finish(start(method, config, alone)) == 0

    draw = random.Random(seed)
    hits, runs = 0, 1
    while hits < strikes:
        run = folder / f"struck-{runs}"
        if strike(method, config, run, draw):
            hits += 1
        else:
            compare(run, alone)
            runs += 1
    run = folder / f"struck-{runs}"
    assert finish(start(method, config, run)) == 0
    compare(run, alone)


def strike(method: str, config: Path, run: Path, draw: random.Random) -> bool:
    """Start or continue `run` and strike it up to 1.5 s after it began to train; false where it was done before."""
    number, delay = draw.choice([signal.SIGKILL, signal.SIGUSR1]), draw.uniform(0.0, 1.5)
    process = start(method, config, run)
    began = count(run)
    while process.poll() is None and count(run) == began:
        time.sleep(0.01)
    time.sleep(delay)
    process.send_signal(number)
    code = finish(process)
    if manifest.exists(run):
        return False
    assert code == (85 if number == signal.SIGUSR1 else -signal.SIGKILL)
    return True


def compare(run: Path, alone: Path) -> None:
    """Assert that `run`, struck and then done, ended as `alone` did."""
    ends = [line["event"] for line in attempts.read(run) if line["event"] != "started"]
    assert ends[-1] == "done"
    ending = f"after {ends}"
    name = "final/adapter_model.safetensors"
    assert (run / name).read_bytes() == (alone / name).read_bytes(), ending
    for log in LOGS:
        assert jsonl.read(run / log) == jsonl.read(alone / log), ending


def count(run: Path) -> int:
    """Attempts of `run` that reached training."""
    return sum(line["event"] == "started" for line in attempts.read(run))


def start(method: str, config: Path, out: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", f"vlm_grpo.training.{method}", "--config", str(config), "--output_dir", str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def finish(process: subprocess.Popen) -> int:
    output, _ = process.communicate(timeout=900)
    sys.stdout.write(output.decode())
    return process.returncode
