"""The study from synthetic to real: its scripts, arms and published figures, and (by night) the embedded one."""

import os
import subprocess
from pathlib import Path

import pytest

from study_checkout import copy_checkout, quickstart
from vlm_grpo.paper.published import load
from vlm_grpo.store import manifest
from vlm_grpo.study.plan import open_plan

ROOT = Path(__file__).parents[2]
STUDIES = ROOT / "configs/study"
ARMS = {"SFT-2": "sft_2", "SFT-50": "sft_50", "GRPO": "grpo", "GRPO-AUG": "grpo_aug", "SFT-SS": "sft_ss"}


@pytest.fixture
def study(monkeypatch):
    monkeypatch.setenv("DATA_PATH", "/data")
    monkeypatch.setenv("OUT_PATH", "/runs")
    return open_plan([STUDIES / "sim2real.yaml"])


def test_every_arm_of_the_report_is_there_with_its_figures(study):
    table = dict(load()["project_page_tables"]["synthetic_to_real"])
    assert table.pop("columns") == ["Rel3D", "SpatialSense"]
    assert {*table} == {*ARMS}
    for name, (on_rel3d, on_spatialsense) in table.items():
        said = dict(study.study.arms[ARMS[name]].published)
        ours = [said.pop("rel3d", None) or said.pop("rel3d_panels"), said.pop("spatialsense", None)]
        theirs = [share and round(share / 100, 3) for share in (on_rel3d, on_spatialsense)]
        assert (ours, said) == (theirs, {}), name


def test_arms_are_trained_on_one_domain_and_asked_about_all(study):
    assert {arm: study.arms[arm].data for arm in study.studied} == {
        **dict.fromkeys(("sft_2", "sft_50", "grpo", "grpo_no_think"), "rel3d"),
        "sft_ss": "spatialsense",
        "grpo_aug": "rel3d_panels",
    }
    asked = {name: (one.question.data, {*one.arms} == {*study.studied}) for name, one in study.evaluations.items()}
    assert asked == {
        **{name: (name, True) for name in ("rel3d", "spatialsense", "vsr")},
        "rel3d_panels": ("rel3d_panels", False),
    }


@pytest.mark.parametrize(
    "stage, setting",
    [("run_sft", "num_rows: 4000"), pytest.param("evaluate", "split: test", marks=pytest.mark.nightly)],
)
def test_the_batch_scripts_take_the_studys_scripts(stage, setting):
    batch = "slurm/evaluate.sbatch" if stage == "evaluate" else "slurm/train.sbatch"
    done = subprocess.run(
        ["bash", batch, "--dry-run"],
        cwd=ROOT,
        env={**os.environ, "VLM_GRPO_SCRIPT": f"scripts/{stage}_sim2real.sh"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert setting in done.stdout
    assert "/rel3d" in next(line for line in done.stdout.splitlines() if line.startswith("data: "))


@pytest.mark.nightly
def test_the_embedded_study_shows_the_gap(tmp_path):
    checkout = copy_checkout(tmp_path)
    done = quickstart(checkout, "--study", "sim2real")
    assert done.returncode == 0, done.stdout + done.stderr
    results = checkout / "results/embedded_sim2real"
    across = manifest.read_json(results / "across/summary.json")
    right = {run: {name: asked["accuracy"] for name, asked in scores.items()} for run, scores in across["runs"].items()}
    gaps = {gap["run"]: gap for gap in across["gaps"]}
    assert all(gap["is_paired"] and gap["n"] == 344 for gap in gaps.values())
    for arm in ("sft", "grpo"):
        assert right[arm]["flat"] > right["base"]["flat"] + 0.15
        assert gaps[arm]["value"] < -0.05
        assert gaps[arm]["holm_p"] < 0.001
        assert right[arm]["real"] > right["base"]["real"], "not hopeless"
    assert gaps["sft_real"]["value"] > gaps["sft"]["value"]
    assert "Accuracy elsewhere less that on flat" in done.stdout
    assert (results / "index.html").exists()
