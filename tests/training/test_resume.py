"""Resuming takes the newest complete checkpoint and names the ones it skips."""

from pathlib import Path

import pytest

from vlm_grpo.training import checkpoints
from vlm_grpo.training.callbacks import cut_after


@pytest.fixture
def run(tmp_path: Path) -> Path:
    for step in (8, 10, 100):
        folder = tmp_path / f"checkpoint-{step}"
        (folder / "global").mkdir(parents=True)
        (folder / "adapter_model.safetensors").write_bytes(b"x" * step)
        (folder / "global" / "optimizer.pt").write_bytes(b"y" * step)
        checkpoints.mark_complete(folder)
    (tmp_path / "checkpoint-final").mkdir()
    (tmp_path / "final").mkdir()
    return tmp_path


def test_the_newest_by_number(run):
    found = checkpoints.find(run)
    assert found.newest == run / "checkpoint-100"
    assert found.skipped == ()


def test_nothing_to_resume(tmp_path):
    assert checkpoints.find(tmp_path / "absent").newest is None


def test_torn_ones_are_named_and_skipped(run):
    (run / "checkpoint-100" / checkpoints.MARK).unlink()
    (run / "checkpoint-10" / "global" / "optimizer.pt").write_bytes(b"y" * 9)
    found = checkpoints.find(run)
    assert found.newest == run / "checkpoint-8"
    assert [(path.name, reason) for path, reason in found.skipped] == [
        ("checkpoint-100", "has no complete.json: saving was cut off"),
        ("checkpoint-10", "global/optimizer.pt has 9 bytes instead of 10"),
    ]
    (run / "checkpoint-8" / "adapter_model.safetensors").unlink()
    assert checkpoints.find(run).newest is None
    assert checkpoints.find(run).skipped[-1][1] == "adapter_model.safetensors is missing"


def test_records_beyond_the_checkpoint_are_cut(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(f'{{"step": {step}, "reward": 0.5}}\n' for step in (1, 2, 3, 4)) + '{"step": 5, "rew')
    cut_after(path, 2)
    assert path.read_text() == '{"step": 1, "reward": 0.5}\n{"step": 2, "reward": 0.5}\n'
