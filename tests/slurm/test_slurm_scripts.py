"""The scripts of the development cluster, without starting one."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(script: str, *words: str) -> tuple[int, str, str]:
    done = subprocess.run(["bash", ROOT / "scripts/dev" / script, *words], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("script", ["slurm_up.sh", "slurm_down.sh"])
def test_help_and_a_wrong_argument(script):
    code, output, errors = run(script, "--help")
    assert (code, errors) == (0, "")
    assert f"bash scripts/dev/{script} [FOLDER]" in output
    assert run(script, "--stop") == (2, "", "error: --stop: give at most a folder; see --help\n")
    assert run(script, "a", "b") == (2, "", "error: b: give at most a folder; see --help\n")


def test_stopping_where_nothing_runs(tmp_path):
    assert run("slurm_down.sh", str(tmp_path)) == (0, "", "")
