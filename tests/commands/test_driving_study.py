"""The embedded study on driving questions: its chain as planned and, at night, run to its table with each gain."""

from pathlib import Path

import pytest
import yaml

from study_checkout import copy_checkout, quickstart
from vlm_grpo.store import manifest
from vlm_grpo.study.plan import open_plan

ROOT = Path(__file__).parents[2]
STUDY = ROOT / "configs/study/embedded_driving.yaml"


def test_grpo_starts_from_the_merged_sft_and_all_are_asked_alike() -> None:
    plan = open_plan([STUDY], {"seeds": [43]})
    assert plan.start("sft", 43) == "embedded:qwen2_5_vl_driving"
    assert plan.start("sft_grpo", 43) == "runs/study/embedded_driving/sft/43/merged"
    assert plan.studied == ["sft", "sft_grpo"]


def test_sft_and_evaluation_ask_as_grpo_does() -> None:
    sft, grpo, asked = (
        yaml.safe_load((ROOT / f"configs/embedded/driving_{name}.yaml").read_text())
        for name in ("sft", "grpo", "evaluate")
    )
    assert sft["prompt"] == "reason"
    assert grpo["max_completion_length"] == asked["max_new_tokens"]
    assert {"accuracy", "boxes", "format"} == set(grpo["rewards"])


@pytest.mark.nightly
def test_sft_gains_over_the_base_and_grpo_over_sft(tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path / "checkout")
    done = quickstart(checkout, "--study", "driving")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Accuracy on test" in done.stdout
    summary = manifest.read_json(checkout / "results/embedded_driving/summary.json")
    for pair in ("base-sft", "sft-sft_grpo"):
        assert summary["pairs"][pair]["c"] > summary["pairs"][pair]["b"]
        assert summary["pairs"][pair]["holm_p"] < 0.05
    recalls = [summary["arms"][arm]["box_recall"] for arm in ("base", "sft", "sft_grpo")]
    assert recalls[0] < 0.1 < 0.8 < min(recalls[1:])
    assert min(summary["arms"][arm]["box_iou"] for arm in ("sft", "sft_grpo")) > 0.8
    assert all(summary["arms"][arm]["parse_rate"] > 0.9 for arm in summary["arms"])
