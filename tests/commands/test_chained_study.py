"""A small study whose second arm starts from the first one's weights, run by the workflow in an odd checkout."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from study_checkout import copy_checkout, quickstart
from vlm_grpo.adapters.checkpoint import weights_fingerprint
from vlm_grpo.store import manifest

DATA = "python -m vlm_grpo.embedded.synthetic_vsr --train 16 --validation 8 --test 16 --seed"
STUDY = {
    "title": "A chained study",
    "results": "results/embedded_chained",
    "work": "runs/study/embedded_chained",
    "seeds": [7],
    "datasets": {
        "drive": {"command": f"{DATA} 0", "folder": "${DATA_PATH}/drive"},
        "other": {"command": f"{DATA} 1", "folder": "${DATA_PATH}/other"},
    },
    "bases": {"base": {"model": "embedded:qwen2_5_vl", "evaluation": "configs/embedded/qwen_evaluate.yaml"}},
    "arms": {
        "sft": {
            "start": "base",
            "method": "sft",
            "data": "drive",
            "full_finetuning": "language",
            "training": "configs/whole_sft.yaml",
            "arguments": "--max_steps 2 --per_device_train_batch_size 4",
        },
        "sft_grpo": {
            "start": "sft",
            "method": "grpo",
            "data": "drive",
            "training": "configs/embedded/qwen_grpo.yaml",
            "arguments": '--max_steps 2 --per_device_train_batch_size 8 --run_name "it\'s two"',
        },
    },
    "evaluations": {
        "test": {"data": "drive", "split": "test", "arms": ["base", "sft_grpo"]},
        "transfer": {"data": "other", "split": "test", "arms": ["sft_grpo"], "arguments": "--limit 8"},
    },
    "judge": {"pairs": [["base", "sft_grpo"]], "arguments": "--judge rules", "min_coverage": 0},
    "faithfulness": {
        "arms": ["base", "sft_grpo"],
        "probed": ["base"],
        "probes": ["wrong_think"],
        "arguments": "--limit 8",
    },
}
WHOLE = {"extends": "embedded/qwen_sft.yaml", "lora_r": None, "lora_alpha": None, "lora_dropout": None}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = copy_checkout(tmp_path)
    (folder / "configs/whole_sft.yaml").write_text(yaml.safe_dump(WHOLE))
    (folder / "configs/study/embedded_chained.yaml").write_text(yaml.safe_dump(STUDY))
    return folder


@pytest.mark.slow
def test_grpo_goes_on_from_sft_and_is_asked_on_other_data(checkout):
    done = quickstart(checkout, "--study", "chained")
    assert done.returncode == 0, done.stdout + done.stderr
    runs, results = checkout / "runs/study/embedded_chained", checkout / "results/embedded_chained"
    started_from = manifest.read(runs / "sft_grpo/7/train")["inputs"]["base"]
    assert started_from == weights_fingerprint(runs / "sft/7/train/final")
    assert not (runs / "sft/7/merged").exists()
    assert manifest.read(runs / "sft/7/train")["inputs"]["base"] != started_from
    asked = manifest.read(runs / "sft_grpo/7/evaluation")["inputs"]["model"]
    assert asked == weights_fingerprint(runs / "sft_grpo/7/merged")

    summaries = [manifest.read_json(folder / "summary.json") for folder in (results, results / "transfer")]
    assert [list(summary["arms"]) for summary in summaries] == [["base", "sft_grpo"], ["sft_grpo"]]
    assert [summary["arms"]["sft_grpo"]["n"] for summary in summaries] == [16, 8]
    assert manifest.read(runs / "sft_grpo/7/evaluation_on_transfer")["config"]["data"] == f"{checkout}/data/other"
    across = manifest.read_json(results / "across/summary.json")
    assert {run: list(asked) for run, asked in across["runs"].items()} == {
        "base": ["test"],
        "sft_grpo": ["test", "transfer"],
    }
    assert [gap["is_paired"] for gap in across["gaps"]] == [False], "the rows are others"
    assert "Accuracy on each evaluation" in (results / "index.html").read_text()
    assert (results / "reward.png").exists()
    assert manifest.exists(results / "alignment/sft_grpo/7")
    asked_again = manifest.read(runs / "base/probes")
    assert (asked_again["config"]["probes"], asked_again["counts"]["rows"]) == (["wrong_think"], 8)
    report = manifest.read_json(results / "faithfulness/faithfulness.json")
    assert [list(report["runs"]), list(report["probes"])] == [["base", "sft_grpo"], ["base"]]
    assert manifest.exists(results / "faithfulness/quadrants/7")
    for words in (
        "Accuracy on test",
        "Reasoning that contradicts its answer",
        "Pairs of arms on the same rows",
        "report: results/embedded_chained/transfer/summary.md",
        "Accuracy on each evaluation",
    ):
        assert words in done.stdout, "the tables are printed at the end"

    again = quickstart(checkout, "--study", "chained", "--dry-run")
    assert "Nothing to be done" in again.stdout + again.stderr


def test_the_quickstart_knows_its_studies(checkout):
    unknown = quickstart(checkout, "--study", "chianed")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    known = sorted(path.stem.removeprefix("embedded_") for path in (checkout / "configs/study").glob("embedded_*.yaml"))
    line = f"error: --study 'chianed': there is no configs/study/embedded_chianed.yaml; known: {' '.join(known)}\n"
    assert unknown.stderr == line
    without = quickstart(checkout, "--study=chained", "--no-bias")
    assert without.stderr == "error: --no-bias: configs/study/embedded_chained.yaml has no bias reports to leave out\n"


def test_a_mistake_in_a_study_is_one_line(checkout):
    study = checkout / "configs/study/embedded_chained.yaml"
    study.write_text(study.read_text().replace("method: grpo", "method: gpro"))
    where = "configs/study/embedded_chained.yaml: arms.sft_grpo.method"
    line = f"error: config {where}: no method 'gpro'; did you mean 'grpo'?"
    for words in (["scripts/quickstart.sh", "--study", "chained"], ["scripts/submit_study.sh", str(study), "-n"]):
        kept = {**os.environ, "VLM_GRPO_PYTHON": sys.executable}
        done = subprocess.run(["bash", *words], cwd=checkout, capture_output=True, text=True, timeout=300, env=kept)
        assert done.returncode == 2
        assert line in done.stderr.splitlines()
        assert "Traceback" not in done.stdout + done.stderr


def test_a_path_that_sbatch_would_expand_is_refused_before_anything_is_submitted(checkout, tmp_path):
    for program in ("sbatch", "sinfo"):
        (tmp_path / program).write_text("#!/bin/sh\n")
        (tmp_path / program).chmod(0o755)
    kept = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "VLM_GRPO_PYTHON": sys.executable,
        "DATA_PATH": "d",
        "OUT_PATH": "o",
    }
    command = ["bash", "scripts/submit_study.sh", "configs/study/embedded_chained.yaml"]
    done = subprocess.run(command, cwd=checkout, env=os.environ | kept, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2
    assert f"error: {checkout}: a study's Slurm jobs cannot be told of a path with $" in done.stderr
