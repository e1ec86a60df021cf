"""Training on own records: texts, pictures in front and pictures in the text learn together; the old flags start it."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from own_records import write_mixed
from tiny_reward import ITS_ROW, VOWELS
from vlm_grpo.methods.grpo import command as grpo
from vlm_grpo.methods.sft import command as sft
from vlm_grpo.rewards import registry
from vlm_grpo.store import manifest

ROOT = Path(__file__).parents[2]
GRPO = ("--num_generations", "2", "--per_device_train_batch_size", "4", "--max_completion_length", "4")


def words(root, model, *more):
    data = ["--data_file_paths", str(write_mixed(root / "x")), "--model", str(model), "--output_dir", str(root / "out")]
    return [*data, "--gradient_checkpointing", "false", "--max_steps", "2", *more]


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("family", ["tiny_qwen", "tiny_smolvlm", "tiny_internvl"])
def test_grpo_on_own_records_is_the_same_fast_and_by_trl(family, request, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DATA_PATH", str(tmp_path / "data"))
    monkeypatch.setitem(registry.REWARDS, "vowels", VOWELS)
    monkeypatch.setitem(registry.REWARDS, "its_row", ITS_ROW)
    more = (*GRPO, "--gradient_accumulation_steps", "2", "--rewards", "vowels", "format", "its_row", "--beta", "0.04")
    asked = words(
        tmp_path,
        request.getfixturevalue(family),
        *more,
        "--learning_rate",
        "1e-2",
        "--lora_dropout",
        "0",
        "--logging_steps",
        "1",
    )
    for fast in ("auto", "off"):
        grpo.main([*asked, "--fast", fast, "--output_dir", str(tmp_path / fast)])
        told = capsys.readouterr().err
        assert "preview: 8 rows, 6 pictures, " in told
        assert (
            "preview: 4 prompts a step, 8 completions a step (2 a prompt; 4 a device x 1 process x 2 accumulated), "
            "2 steps an epoch, 2 steps in all"
        ) in told
        assert "preflight: 8 completions of the base, 2 a prompt, earn (mean, spread): vowels" in told
    ours, theirs = (lines(tmp_path / fast / "completions.jsonl") for fast in ("auto", "off"))
    assert ours == theirs
    assert {line["row_id"] for line in ours} == {str(n) for n in range(8)}
    for line in ours:
        assert line["rewards"]["its_row"] == int(line["row_id"]) * 100 + len(line["text"]), "scored by its own row"
    for one, other in zip(*(lines(tmp_path / fast / "metrics.jsonl") for fast in ("auto", "off")), strict=True):
        assert [one.get(name) for name in ("loss", "kl", "grad_norm")] == pytest.approx(
            [other.get(name) for name in ("loss", "kl", "grad_norm")], rel=1e-3, abs=1e-6
        )


def test_memory_that_runs_out_is_one_line_with_advice(tiny_qwen, tmp_path, monkeypatch, capsys):
    def greedy(completion, row, rule, view=None):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setenv("DATA_PATH", str(tmp_path / "data"))
    monkeypatch.setitem(registry.REWARDS, "greedy", replace(VOWELS, name="greedy", score=greedy))
    with pytest.raises(SystemExit) as left:
        grpo.main(words(tmp_path, tiny_qwen, *GRPO, "--rewards", "greedy"))
    assert left.value.code == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith("error: memory ran out in step 1 (CUDA out of memory); in another output_dir lower ")
    assert "per_device_train_batch_size" in told


@pytest.mark.parametrize("family", ["tiny_qwen", "tiny_smolvlm", "tiny_internvl"])
def test_sft_on_own_records(family, request, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DATA_PATH", str(tmp_path / "data"))
    more = ("--prompt", "answer", "--per_device_train_batch_size", "4", "--val_split_ratio", "0.25")
    sft.main(words(tmp_path, request.getfixturevalue(family), *more))
    assert manifest.read(tmp_path / "out")["counts"]["rows"] == 6
    assert "4 rows a step (4 a device x 1 process x 1 accumulated), 2 steps an epoch" in capsys.readouterr().err


def test_torchrun_with_the_flags_of_the_original(tiny_qwen, tmp_path):
    data = write_mixed(tmp_path / "x")
    out = tmp_path / "out"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = f"""{sys.executable} -m torch.distributed.run --nproc_per_node=2 --nnodes=1 --node_rank=0
        --master_addr=127.0.0.1 --master_port={port} scripts/grpo_jsonl.py
        --output_dir {out} --model_name_or_path {tiny_qwen} --dataset_name this_is_not_used --use_vllm False
        --data_file_paths {data}:{data} --image_folders {data.parent}:{data.parent} --reward_method default:all_match
        --reward_funcs accuracy format --is_reward_customized_from_vlm_module False --task_type gui
        --per_device_train_batch_size 4 --gradient_accumulation_steps 2 --num_generations 4 --max_completion_length 4
        --gradient_checkpointing false --beta 0.04 --num_train_epochs 2 --max_steps 2 --logging_steps 1
        --torch_dtype float32 --attn_implementation sdpa --freeze_vision_modules true --warmup_ratio 0.5
        --resume_from_checkpoint True --data_seed 42 --report_to none"""
    environment = {**os.environ, "DATA_PATH": str(tmp_path / "data"), "CUDA_VISIBLE_DEVICES": ""}
    environment |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
    done = subprocess.run(command.split(), cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("--torch_dtype float32: read as --dtype float32") == 1
    assert done.stderr.count("data set of own records: ") == 1
    assert (
        "4 prompts a step, 16 completions a step (4 a prompt; 4 a device x 2 processes x 2 accumulated)" in done.stderr
    )
    rows = [line["row_id"] for line in lines(out / "completions.jsonl")]
    assert len(rows) == 32
    assert all(rows[group : group + 4] == [rows[group]] * 4 for group in range(0, 32, 4))
    stored = manifest.read(out)
    assert (stored["counts"]["steps"], stored["config"]["beta"], stored["config"]["lora_r"]) == (2, 0.04, 64)
    assert (stored["config"]["warmup_steps"], stored["config"]["rewards"]) == (0.5, ["accuracy", "format"])


@pytest.mark.parametrize(
    "script, family, folder",
    [
        ("run_grpo_lora.sh", "qwen", "grpo"),
        pytest.param("SmolVLM/run_sft_lora.sh", "smolvlm", "sft", marks=pytest.mark.nightly),
        ("evaluate.sh", "qwen", "base"),
    ],
)
def test_scripts_take_own_records_with_configs_of_their_own(script, family, folder, tmp_path):
    flag = f"--data_file_paths={write_mixed(tmp_path / 'x')}"
    command = ["bash", str(ROOT / "scripts" / script), flag, "--dry-run"]
    environment = {**os.environ, "DATA_PATH": str(tmp_path / "data"), "OUT_PATH": str(tmp_path / "runs")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert f"# output: {tmp_path}/runs/jsonl/{family}/{folder} " in done.stdout
    assert f"# data:   {tmp_path}/data/jsonl/" in done.stdout
    assert "split: train" in done.stdout
    assert "num_rows: null" in done.stdout or folder == "base"
    assert not (tmp_path / "data").exists()
