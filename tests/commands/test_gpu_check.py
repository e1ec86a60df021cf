"""What a person with a GPU runs: its parts fit into ten minutes, and without a GPU it measures small sizes."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ["bash", str(ROOT / "scripts/dev/gpu_check.sh")]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run([*SCRIPT, *words], env=environment, capture_output=True, text=True, timeout=600)


def test_the_parts_and_their_limits():
    done = run("--list")
    assert done.returncode == 0, done.stderr
    limits = dict(re.findall(r"^(\w+), at most (\d+) s:$", done.stdout, re.MULTILINE))
    assert list(limits)[:4] == ["exact", "decode", "step_4x8", "step_2x8"]
    slower = 5
    assert sum(map(int, limits.values())) == slower * 600
    for path in set(re.findall(r"configs/\S+\.yaml", done.stdout)):
        assert (ROOT / path).is_file()


@pytest.mark.nightly
def test_two_parts_and_the_table(tmp_path):
    done = run(str(tmp_path), "--only", "decode", "step_2x8")
    assert done.returncode == 0, done.stderr
    assert "no GPU is here" in done.stderr
    step, decode = (json.loads((tmp_path / f"{part}.json").read_text()) for part in ("step_2x8", "decode"))
    assert step["setting"] == {"prompts": 2, "group": 8, "prompt": 100, "completion": 8}
    assert [result["equal_tokens"] for result in decode["results"]] == [1.0, 1.0]
    lines = {line.split()[1]: line for line in (tmp_path / "table.md").read_text().splitlines() if "| ok |" in line}
    assert list(lines) == ["decode", "step_2x8"]
    assert f"ratio_step {step['ratio_step']:.3g}" in lines["step_2x8"]
    for result in decode["results"]:
        assert f"batch {result['batch']}; " in lines["decode"]
        assert f"ratio_ms_per_token {result['ratio_ms_per_token']:.3g}" in lines["decode"]


def test_mistakes_are_one_line(tmp_path):
    for words, said in (
        ([], "give the folder OUT"),
        (["--wheels", "nowhere", "x"], "no such folder"),
        (["--wheels", str(tmp_path), "x"], "no wheel"),
        (["x", "--only", "decode", "step_3x8"], "unknown part; known: exact decode"),
        (["--x"], "unknown"),
    ):
        done = run(*words)
        assert done.returncode == 2
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
