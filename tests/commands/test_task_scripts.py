"""The five commands of grounded reasoning: --task names the configs, one's output is the next one's input."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from driving_files import driving_folder
from vlm_grpo.rows import dataset
from vlm_grpo.study.plan import open_plan
from vlm_grpo.yaml_layers import read_layers

ROOT = Path(__file__).parents[2]
STAGES = {"sft": "run_sft_lora", "merge": "merge_lora", "grpo": "run_grpo_lora", "evaluate": "evaluate"}


def run(tmp_path, script, *words):
    places = {"DATA_PATH": str(tmp_path), "OUT_PATH": str(tmp_path / "runs"), "VLM_GRPO_PYTHON": sys.executable}
    return subprocess.run(
        ["bash", f"scripts/{script}.sh", *words],
        cwd=ROOT,
        env=os.environ | places | {"VLM_GRPO_FAMILY": ""},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("words", [["--task", "driving"], ["--task=aokvqa"]])
def test_each_command_takes_the_configs_of_its_task(tmp_path, words):
    task = words[-1].removeprefix("--task=")
    for stage, place in {"sft": "sft", "merge": "sft/merged", "grpo": "grpo"}.items():
        done = run(tmp_path, STAGES[stage], *words, "--where")
        assert done.stdout.strip() == f"{tmp_path}/runs/{task}/qwen/{place}", done.stderr


def test_an_unknown_task_is_one_line(tmp_path):
    done = run(tmp_path, "merge_lora", "--task", "drivnig", "--where")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(
        "error: --task 'drivnig': no task of that name has a config qwen_merge"
    )
    assert "aokvqa driving" in done.stderr
    assert run(tmp_path, "prepare_sft", "--task", "vsr").stderr.splitlines()[-1] == (
        "error: --task 'vsr': known: driving, aokvqa"
    )


@pytest.mark.parametrize("task", ["driving", "aokvqa"])
def test_the_chain_fits_together(task, monkeypatch):
    """GRPO starts from what merge writes of what SFT trains, on rows asked and read as evaluation does."""
    monkeypatch.setenv("DATA_PATH", "data")
    monkeypatch.setenv("OUT_PATH", "runs")
    sft, merge, grpo, evaluate = (read_layers(ROOT / f"configs/{task}/qwen_{stage}.yaml").values for stage in STAGES)
    assert merge["adapter"] == f"{sft['output_dir']}/final"
    assert grpo["model"] == merge["out"]
    assert sft["model"] == evaluate["model"]
    assert sft["data"] == grpo["data"] == evaluate["data"]
    for key in ("prompt", "min_pixels", "max_pixels"):
        assert sft[key] == grpo[key] == evaluate[key]
    assert grpo["answers"] == evaluate["answers"]
    assert grpo["max_completion_length"] == evaluate["max_new_tokens"]


def test_the_study_is_a_chain_from_the_merged_arm(tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_PATH", str(tmp_path))
    monkeypatch.setenv("OUT_PATH", str(tmp_path))
    monkeypatch.chdir(ROOT)
    study = open_plan([ROOT / "configs/study/driving.yaml"]).study
    assert {study.arms[arm].start for arm in study.arms if arm.startswith("grpo")} == {"sft"}
    assert study.seeds == [42, 32, 22]


def test_prepare_sft_builds_the_parts_of_the_study(tmp_path):
    files = driving_folder(tmp_path / "files")
    done = run(tmp_path, "prepare_sft", "--folder", str(files), "--sft-rows", "2", "--boxes", "original")
    assert done.returncode == 0, done.stderr
    rows = {split: dataset.load(tmp_path / "driving", split) for split in ("sft", "grpo", "test")}
    assert {split: len(of) for split, of in rows.items()} == {"sft": 2, "grpo": 1, "test": 1}
    assert {row.meta["boxes"] for of in rows.values() for row in of} == {"original"}
