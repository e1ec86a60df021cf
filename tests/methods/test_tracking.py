"""The name and id under which trackers know a run stay the same over attempts, and differ between runs."""

import os
from pathlib import Path

import pytest

from vlm_grpo.methods import tracking
from vlm_grpo.methods.arguments import SFTArguments


def named(folder: Path, identity: dict, monkeypatch: pytest.MonkeyPatch, **settings: str) -> tuple[str, str, str]:
    for name in ("WANDB_RUN_ID", "WANDB_RESUME"):
        monkeypatch.delenv(name, raising=False)
    training = SFTArguments(output_dir=str(folder), report_to="wandb", **settings)
    tracking.continue_run(training, identity, str(folder))
    return training.run_name, os.environ["WANDB_RUN_ID"], os.environ["WANDB_RESUME"]


def test_the_same_over_attempts(tmp_path, monkeypatch):
    first = named(tmp_path / "a", {"seed": 1}, monkeypatch)
    assert named(tmp_path / "a", {"seed": 1}, monkeypatch) == first
    assert first[0].startswith("a-")
    assert first[2] == "allow"


def test_different_between_runs(tmp_path, monkeypatch):
    ids = {
        named(tmp_path / "a", {"seed": 1}, monkeypatch)[1],
        named(tmp_path / "a", {"seed": 2}, monkeypatch)[1],
        named(tmp_path / "b", {"seed": 1}, monkeypatch)[1],
    }
    assert len(ids) == 3


def test_what_the_user_says_stays(tmp_path, monkeypatch):
    assert named(tmp_path / "a", {}, monkeypatch, run_name="mine")[0] == "mine"
    monkeypatch.setenv("WANDB_RUN_ID", "given")
    training = SFTArguments(output_dir=str(tmp_path), report_to="wandb")
    tracking.continue_run(training, {}, str(tmp_path))
    assert os.environ["WANDB_RUN_ID"] == "given"
