"""Resuming takes the newest complete checkpoint of this run, names the ones it skips, and never removes the last."""

import json
import shutil
from pathlib import Path

import pytest

from vlm_grpo.methods.metrics import cut_after
from vlm_grpo.methods.resume import checkpoints


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = make_run(tmp_path / "run", {"kind": "sft"}, 8, 10, 100)
    (folder / "checkpoint-final").mkdir()
    (folder / "final").mkdir()
    return folder


def make_run(folder: Path, identity: dict, *steps: int) -> Path:
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps(identity))
    for step in steps:
        publish(folder, step)
    return folder


def publish(run: Path, step: int) -> None:
    written = run / checkpoints.ASIDE / f"checkpoint-{step}"
    (written / "global").mkdir(parents=True)
    (written / "adapter_model.safetensors").write_bytes(b"x" * step)
    (written / "global" / "optimizer.pt").write_bytes(b"y" * step)
    checkpoints.publish(written, run, finished=step == 100)


def names(run: Path) -> list[str]:
    return sorted(path.name for path in run.glob("checkpoint-[0-9]*"))


def test_the_newest_by_number(run):
    resume = checkpoints.find(run)
    assert resume.newest == run / "checkpoint-100"
    assert (resume.step, resume.finished, resume.skipped) == (100, True, ())


def test_nothing_to_resume(tmp_path):
    resume = checkpoints.find(tmp_path / "absent")
    assert (resume.newest, resume.step, resume.finished) == (None, 0, False)


def test_torn_ones_are_named_and_skipped(run):
    (run / "checkpoint-100" / checkpoints.MARK).unlink()
    (run / "checkpoint-10" / "global" / "optimizer.pt").write_bytes(b"y" * 9)
    resume = checkpoints.find(run)
    assert resume.newest == run / "checkpoint-8"
    assert [(path.name, reason) for path, reason in resume.skipped] == [
        ("checkpoint-100", "has no complete.json: saving or removing it was cut off"),
        ("checkpoint-10", "global/optimizer.pt has 9 bytes instead of 10"),
    ]
    (run / "checkpoint-8" / "adapter_model.safetensors").unlink()
    assert checkpoints.find(run).newest is None
    assert checkpoints.find(run).skipped[-1][1] == "adapter_model.safetensors is missing"


@pytest.mark.parametrize("mark", ["", '{"step": 100, ', "[]", "\0" * 64])
def test_one_with_a_damaged_mark_is_skipped(run, mark):
    (run / "checkpoint-100" / checkpoints.MARK).write_text(mark)
    (run / "checkpoint-200").write_text("a file")
    resume = checkpoints.find(run)
    assert resume.newest == run / "checkpoint-10"
    assert resume.skipped == ((run / "checkpoint-100", "complete.json is damaged"),)
    checkpoints.retire(run, keep=1)
    assert names(run) == ["checkpoint-10", "checkpoint-100", "checkpoint-200"]


def test_anothers_and_renamed_ones_are_skipped(run, tmp_path):
    other = make_run(tmp_path / "other", {"kind": "grpo"}, 300)
    shutil.copytree(other / "checkpoint-300", run / "checkpoint-300")
    shutil.copytree(run / "checkpoint-100", run / "checkpoint-200")
    resume = checkpoints.find(run)
    assert resume.newest == run / "checkpoint-100"
    assert [reason for _, reason in resume.skipped] == ["belongs to another run", "holds step 100: it was renamed"]


def test_a_save_that_was_cut_off_leaves_the_others_untouched(run):
    torn = run / checkpoints.ASIDE / "checkpoint-150"
    torn.mkdir(parents=True, exist_ok=True)
    (torn / "adapter_model.safetensors").write_bytes(b"half")
    assert checkpoints.find(run).newest == run / "checkpoint-100"
    checkpoints.clear_aside(run)
    assert not (run / checkpoints.ASIDE).exists()
    assert names(run) == ["checkpoint-10", "checkpoint-100", "checkpoint-8"]


def test_publishing_replaces_a_torn_one_of_the_same_step(run):
    (run / "checkpoint-10" / "global" / "optimizer.pt").unlink()
    publish(run, 10)
    shutil.rmtree(run / "checkpoint-100")
    assert checkpoints.find(run).newest == run / "checkpoint-10"


@pytest.mark.parametrize(
    "torn, keep, left",
    [
        ((), 1, ["checkpoint-100"]),
        ((), 2, ["checkpoint-10", "checkpoint-100"]),
        ((), None, ["checkpoint-10", "checkpoint-100", "checkpoint-8"]),
        ((100,), 1, ["checkpoint-10", "checkpoint-100"]),
        ((100, 10), 1, ["checkpoint-10", "checkpoint-100", "checkpoint-8"]),
        ((10,), 1, ["checkpoint-100"]),
        ((), 0, ["checkpoint-100"]),
    ],
)
def test_retiring_counts_complete_ones_only(torn, keep, left, run):
    for step in torn:
        (run / f"checkpoint-{step}" / checkpoints.MARK).unlink()
    checkpoints.retire(run, keep=keep)
    assert names(run) == left


def test_records_beyond_the_checkpoint_are_cut(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(f'{{"step": {step}, "reward": 0.5}}\n' for step in (1, 2, 3, 4)) + '{"step": 5, "rew')
    cut_after(path, 2)
    assert path.read_text() == '{"step": 1, "reward": 0.5}\n{"step": 2, "reward": 0.5}\n'
