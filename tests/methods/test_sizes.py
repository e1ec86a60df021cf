"""Rows, batches and processes that do not fit together: told before anything is loaded, and never as a stop."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from refusals import refusal
from tiny_data import save_tiny_data, tiny_rows
from tiny_reward import VOWELS
from vlm_grpo.methods.grpo import command as grpo
from vlm_grpo.methods.metrics import MetricsFile
from vlm_grpo.methods.resume.stopping import EXIT_STOPPED
from vlm_grpo.methods.sft import command as sft
from vlm_grpo.rewards import registry
from vlm_grpo.store import jsonl, manifest

ROOT = Path(__file__).parents[2]
CONFIG = """
model: {model}
data: {data}
output_dir: {out}
gradient_checkpointing: false
learning_rate: 1e-2
lora_dropout: 0.0
logging_steps: 1
seed: 3
"""
GRPO = CONFIG + "num_generations: 2\nmax_completion_length: 3\nrewards: [vowels]\n"


ONCE = ["--steps_per_generation", "1"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_data(tmp_path_factory.mktemp("sizes") / "data", train=tiny_rows(5, split="train"))


def write(folder: Path, text: str, *, model: Path, data: Path) -> list[str]:
    path = folder / "config.yaml"
    path.write_text(text.format(model=model, data=data, out=folder / "out"))
    return ["--config", str(path)]


def refused(main: Any, words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    return refusal(capsys, main, words, alone=False)


@pytest.mark.parametrize(
    "words, prompts",
    [
        (["--per_device_train_batch_size", "12"], 6),
        (["--per_device_train_batch_size", "4", "--gradient_accumulation_steps", "3"], 6),
        (["--per_device_train_batch_size", "4", "--steps_per_generation", "4"], 8),
        (["--per_device_train_batch_size", "6", "--generation_batch_size", "12"], 6),
        (["--per_device_train_batch_size", "12", "--max_steps", "3"], 6),
        (["--per_device_train_batch_size", "4", "--num_rows", "1"], 2),
    ],
)
def test_fewer_rows_than_a_batch_of_rollouts(words, prompts, tiny_qwen, tmp_path, data, capsys, monkeypatch):
    monkeypatch.setitem(registry.REWARDS, "vowels", VOWELS)
    monkeypatch.setattr("vlm_grpo.adapters.checkpoint.Checkpoint.load_model", None)
    message = refused(grpo.main, [*write(tmp_path, GRPO, model=tiny_qwen, data=data), *words], capsys)
    rows = 1 if "--num_rows" in words else 5
    assert f"split 'train': {rows} rows, and a batch of rollouts takes {prompts} (" in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "words, steps",
    [
        (["--per_device_train_batch_size", "10"], 1),
        (["--per_device_train_batch_size", "4"], 2),
        (["--per_device_train_batch_size", "2", "--gradient_accumulation_steps", "3"], 1),
        (
            ["--per_device_train_batch_size", "2", "--gradient_accumulation_steps", "4", "--steps_per_generation", "1"],
            2,
        ),
        (["--per_device_train_batch_size", "4", "--dataloader_drop_last", "true"], 2),
        (["--per_device_train_batch_size", "4", "--num_train_epochs", "0.5"], 1),
        (["--per_device_train_batch_size", "10", "--max_steps", "3"], 3),
    ],
)
def test_odd_sizes_of_grpo_end_by_themselves(words, steps, tiny_qwen, tmp_path, data, monkeypatch):
    monkeypatch.setitem(registry.REWARDS, "vowels", VOWELS)
    grpo.main([*write(tmp_path, GRPO, model=tiny_qwen, data=data), "--num_train_epochs", "1", *words])
    assert manifest.read(tmp_path / "out", kind="grpo")["counts"]["steps"] == steps


def test_sft_that_drops_every_batch(tiny_qwen, tmp_path, data, capsys):
    words = ["--per_device_train_batch_size", "6", "--dataloader_drop_last", "true"]
    message = refused(sft.main, [*write(tmp_path, CONFIG, model=tiny_qwen, data=data), *words], capsys)
    assert (
        "5 rows, and a batch takes 6 on 1 process(es), so with dataloader_drop_last no step could be taken" in message
    )


@pytest.mark.parametrize(
    "words, steps",
    [
        (["--per_device_train_batch_size", "6"], 1),
        (["--per_device_train_batch_size", "2"], 3),
        (["--per_device_train_batch_size", "2", "--dataloader_drop_last", "true"], 2),
        (["--per_device_train_batch_size", "2", "--gradient_accumulation_steps", "2"], 2),
        (["--per_device_train_batch_size", "1", "--gradient_accumulation_steps", "9"], 1),
        (["--per_device_train_batch_size", "6", "--num_rows", "1"], 1),
    ],
)
def test_odd_sizes_of_sft_end_by_themselves(words, steps, tiny_qwen, tmp_path, data):
    sft.main([*write(tmp_path, CONFIG, model=tiny_qwen, data=data), "--num_train_epochs", "1", *words])
    assert manifest.read(tmp_path / "out", kind="sft")["counts"]["steps"] == steps


def launch(words: list[str], method: str) -> subprocess.CompletedProcess[str]:
    accelerate = [sys.executable, "-m", "accelerate.commands.launch", "--main_process_port", "0", "--config_file"]
    command = [
        *accelerate,
        str(ROOT / "configs/accelerate/cpu_two_processes.yaml"),
        "-m",
        f"vlm_grpo.training.{method}",
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src"), "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run([*command, *words], env=environment, capture_output=True, text=True, timeout=400, check=False)


@pytest.mark.nightly
def test_two_processes_need_rows_for_both(tiny_qwen, tmp_path, data):
    config = write(tmp_path, GRPO.replace("[vowels]", "[format]"), model=tiny_qwen, data=data)
    done = launch([*config, "--per_device_train_batch_size", "6"], "grpo")
    assert done.returncode != 0
    assert "5 rows, and a batch of rollouts takes 6 (12 completions, 2 a prompt, on 2 process(es))" in done.stderr
    config = write(tmp_path, CONFIG, model=tiny_qwen, data=data)
    done = launch([*config, "--per_device_train_batch_size", "3", "--dataloader_drop_last", "true"], "sft")
    assert "5 rows, and a batch takes 6 on 2 process(es)" in done.stderr
    done = launch([*config, "--per_device_train_batch_size", "3", "--num_rows", "1", "--num_train_epochs", "1"], "sft")
    assert done.returncode == 0, done.stderr
    assert manifest.read(tmp_path / "out", kind="sft")["counts"]["steps"] == 1


def test_a_run_that_ends_early_by_itself_is_no_stop(tiny_qwen, tmp_path, data, capsys, monkeypatch):
    """Whatever ends it: the exit code that asks a batch script for another try is for signals alone."""

    class Ends(MetricsFile):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            control.should_training_stop = True

    monkeypatch.setattr(sft, "MetricsFile", Ends)
    words = ["--per_device_train_batch_size", "2", "--max_steps", "4"]
    message = refused(sft.main, [*write(tmp_path, CONFIG, model=tiny_qwen, data=data), *words], capsys)
    assert "the run ended by itself after step 1 of 4" in message
    assert not manifest.exists(tmp_path / "out")


@pytest.mark.parametrize("strategy", ["no", "steps", "epoch"])
def test_a_signal_leaves_a_checkpoint_whatever_is_saved_otherwise(strategy, tiny_qwen, tmp_path, data, monkeypatch):
    """`save_steps` lies beyond the run."""

    class SignalAtTwo(MetricsFile):
        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == 1:
                os.kill(os.getpid(), signal.SIGUSR1)

    runs = []
    for name in ("whole", "stopped"):
        folder = tmp_path / name
        folder.mkdir()
        words = write(folder, CONFIG, model=tiny_qwen, data=data)
        words += ["--per_device_train_batch_size", "1", "--max_steps", "4"]
        words += ["--save_strategy", strategy, "--save_steps", "1000"]
        with monkeypatch.context() as patch:
            if name == "stopped":
                patch.setattr(sft, "MetricsFile", SignalAtTwo)
                with pytest.raises(SystemExit) as left:
                    sft.main(words)
                assert left.value.code == EXIT_STOPPED
        sft.main(words)
        runs.append(folder / "out")
    whole, stopped = ((run / "final" / "adapter_model.safetensors").read_bytes() for run in runs)
    assert whole == stopped
    metrics = [[json.dumps(line) for line in jsonl.read(run / "metrics.jsonl")] for run in runs]
    assert metrics[0] == metrics[1]
