"""The embedded study of soft prompts: twenty virtual tokens make the untouched base reason, and be right, unasked."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vlm_grpo.evaluation.arms import compare, open_arm

ROOT = Path(__file__).parents[2]


@pytest.mark.nightly
def test_a_soft_prompt_induces_reasoning(tmp_path, monkeypatch):
    for name in ("scripts", "slurm", "workflow", "alignment_judge", "configs"):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / "src").symlink_to(ROOT / "src")
    kept = {k: v for k, v in os.environ.items() if k not in ("OUT_PATH", "DATA_PATH", "VIRTUAL_ENV", "PYTHONPATH")}
    done = subprocess.run(
        ["bash", "scripts/quickstart.sh", "--study", "soft_prompt"],
        cwd=tmp_path,
        env=kept | {"VLM_GRPO_PYTHON": sys.executable, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=3600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    monkeypatch.chdir(tmp_path)
    work = Path("runs/study/embedded_soft_prompt")
    folders = {
        "base": work / "base/evaluation",
        "unasked": work / "base_unasked/evaluation",
        "direct": work / "soft_direct/42/evaluation",
        "traces": work / "soft_traces/42/evaluation",
    }
    scores = {name: json.loads((folder / "scores.json").read_text()) for name, folder in folders.items()}
    assert scores["unasked"]["reasoning_rate"] < 0.4
    assert scores["traces"]["reasoning_rate"] > 0.9
    assert scores["traces"]["prompt"] == scores["unasked"]["prompt"] == "answer"
    difference = compare(open_arm(folders["base"]), open_arm(folders["traces"]))
    assert difference["difference"] > 0.1
    assert difference["mcnemar_p"] < 0.01
    assert abs(scores["direct"]["accuracy"] - 0.5) < 0.1, "bare answers are not in the base for a prompt to find"
