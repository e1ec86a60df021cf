"""The pretraining command, whole, at a thousandth of its length."""

import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from vlm_grpo.embedded import pretrain
from vlm_grpo.errors import UserError
from vlm_grpo.store import manifest


@pytest.mark.nightly
def test_command_makes_the_same_checkpoint_twice(tmp_path: Path) -> None:
    for name in ("a", "b"):
        command = [sys.executable, "-m", "vlm_grpo.embedded.pretrain", "--family", "smolvlm", "--scale", "0.001"]
        subprocess.run([*command, "--out", str(tmp_path / name), "--seed", "1"], check=True, capture_output=True)
    first, again = (load_file(tmp_path / name / "smolvlm" / "model.safetensors") for name in ("a", "b"))
    assert all(first[name].equal(again[name]) for name in first)
    written = manifest.read(tmp_path / "a" / "smolvlm", kind="embedded-checkpoint")
    assert [stage["steps"] for stage in written["config"]["stages"]] == [2, 2]
    assert set(written["measured"]) == {"greedy", "sampled", "reasoning", "bare"}
    assert written["measured"]["reasoning"]["reasoned"] == 1


@pytest.mark.slow
def test_eyes_are_taught_before_the_whole_model(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "vlm_grpo.embedded.pretrain", "--family", "qwen2_5_vl_digits", "--scale", "0.001"]
    subprocess.run([*command, "--out", str(tmp_path)], check=True, capture_output=True)
    written = manifest.read(tmp_path / "qwen2_5_vl_digits", kind="embedded-checkpoint")
    assert [stage["name"] for stage in written["config"]["stages"]] == ["eyes", "reasoning", "policy"]
    assert {way.split(",")[0] for way in written["measured"]} == {"greedy", "sampled", "reasoning", "bare"}


def test_scale_must_be_positive(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        pretrain.main(["--scale", "0"])
    assert ended.value.code == 2
    assert "--scale 0.0: give a number above 0" in capsys.readouterr().err


def test_folder_of_another_seed_is_refused(tmp_path: Path) -> None:
    manifest.claim(tmp_path, {"kind": pretrain.KIND, "seed": 1})
    with pytest.raises(UserError, match="belongs to another run"):
        pretrain.pretrain("smolvlm", tmp_path, seed=2, threads=1, scale=0.001)
