"""Checkouts, homes and `.env` files as people have them: odd names, Windows line ends, no home, nothing to write to."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fresh_checkout import Checkout

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["my study", "a&b", "it's", "p(1)", "x$y", 'the "last" one', "[a] {b} *?#%20", "ü ~"]
SCRIPT = """if [[ $1 == --where ]]; then echo "$PWD/out"; exit; fi
printf '%s|' "$PWD" "$@"
echo
"""
SRUN = '#!/bin/bash\nshift\nexec "$@"\n'
SCONTROL = '#!/bin/bash\nif [[ $2 == hostnames ]]; then echo n1; else echo "NodeName=n1 NodeAddr=127.0.0.1"; fi\n'


class Place:
    """A checkout in a folder of a given name: scripts, batch scripts, configs and the package's source."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("scripts", "slurm", "configs"):
            shutil.copytree(ROOT / name, root / name)
        (root / "src").symlink_to(ROOT / "src")
        removed = ("VLM_GRPO_", "SLURM_", "SBATCH_", "PIXI_", "CONDA_", "DATA_PATH", "OUT_PATH", "HF_", "XDG_")
        self.variables = {k: v for k, v in os.environ.items() if not k.startswith(removed)}
        self.variables |= {"VLM_GRPO_PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
        self.variables["PYTHONPATH"] = str(ROOT / "src")

    def run(self, *words: str, folder: Path | None = None, **variables: str | None) -> subprocess.CompletedProcess[str]:
        environment = {k: v for k, v in (self.variables | variables).items() if v is not None}
        return subprocess.run(
            words, cwd=folder or self.root, env=environment, capture_output=True, text=True, timeout=300
        )

    def output(self, *words: str, **variables: str | None) -> str:
        done = self.run(*words, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def program(self, name: str, text: str) -> None:
        """Put a program of that name first on PATH."""
        file = self.root / "bin" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)
        if not self.variables["PATH"].startswith(f"{file.parent}:"):
            self.variables["PATH"] = f"{file.parent}:{self.variables['PATH']}"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "study")


@pytest.mark.parametrize("name", NAMES)
def test_a_checkout_of_any_name_runs_scripts_and_jobs(name, tmp_path):
    place = Place(tmp_path / name)
    (place.root / "scripts/said.sh").write_text(SCRIPT)
    said, job = "scripts/said.sh", {"SLURM_SUBMIT_DIR": str(place.root), "SLURM_JOB_NAME": "said"}
    there = place.output("bash", "scripts/run_grpo_lora.sh", "--where")
    assert there == f"{place.root}/runs/vsr/qwen/grpo\n"

    line = f"{place.root}|--word|a b|"
    one = place.output("bash", "slurm/grpo.sbatch", "--word", "a b", VLM_GRPO_SCRIPT=said, SLURM_JOB_NAME="one")
    assert line in one.splitlines()
    (log,) = (place.root / "logs").glob("one-*/attempt-1.log")
    assert log.read_text().splitlines()[1:] == [line]

    place.program("srun", SRUN)
    place.program("scontrol", SCONTROL)
    job |= {"SLURM_JOB_ID": "7", "SLURM_JOB_NUM_NODES": "1", "SLURM_JOB_NODELIST": "n1", "SLURM_NODEID": "0"}
    batch = shutil.copy(place.root / "slurm/grpo_multinode.sbatch", tmp_path / "slurm_script")
    nodes = place.run("bash", str(batch), "--word", "a b", folder=Path("/"), VLM_GRPO_SCRIPT=said, **job)
    assert line in nodes.stdout.splitlines(), nodes.stderr
    assert (place.root / "logs/said-7/attempt-1.log").is_file()

    missing = place.run("bash", "scripts/run_grpo_lora_text_biased.sh", "0.5")
    assert missing.returncode == 2
    command = shlex.split(missing.stderr.split("sourced: ")[1])
    assert command[command.index("--out") + 1] == f"{place.root}/data/vsr_text_0.5"


@pytest.mark.parametrize("name", ["it's (a) & b", pytest.param("x$y", marks=pytest.mark.nightly)])
def test_an_environment_is_set_up_in_a_checkout_of_any_name(name, tmp_path):
    (tmp_path / name).mkdir()
    checkout = Checkout(tmp_path / name)
    code, output, errors = checkout.run("set -eu; source scripts/env.sh; python -c 'import sys; print(sys.prefix)'")
    assert (code, output) == (0, f"{checkout.root}/.venv\n"), errors


DOTENV = {
    "windows": 'DATA_PATH="/the data"\r\n\r\n# more\r\nOUT_PATH=/out\r\n',
    "with a byte order mark": '\ufeffDATA_PATH="/the data"\r\nOUT_PATH=/out\r\n',
    "a test that fails last": 'DATA_PATH="/the data"\nOUT_PATH=/out\n[[ -d /no/such ]] && OUT_PATH=/no/such\n',
    "no end of the last line": 'DATA_PATH="/the data"\nOUT_PATH=/out',
    "a comment last": 'DATA_PATH="/the data"\nOUT_PATH=/out\n# the end',
    "what it prints": 'echo OUT_PATH=/printed\nDATA_PATH="/the data"\nOUT_PATH=/out\n',
    "its own variables": 'here=out\nexport DATA_PATH="/the data" OUT_PATH="/$here"\n',
}


@pytest.mark.parametrize("kind", DOTENV)
def test_settings_are_read(place, kind):
    (place.root / ".env").write_bytes(DOTENV[kind].encode())
    shown = place.output("bash", "-c", 'set -eu; source scripts/env.sh; printf "%s\\n" "$DATA_PATH" "$OUT_PATH"')
    assert shown == "/the data\n/out\n"


@pytest.mark.parametrize(
    "text, message",
    [
        ("A=1\nOUT_PATH=/my folder\n", "line 2: folder: command not found"),
        ("OUT_PATH = /out\n", "line 1: OUT_PATH: command not found"),
        ("\n\nOUT_PATH=$NO_SUCH_VARIABLE/x\n", "line 3: NO_SUCH_VARIABLE: unbound variable"),
        ("A=1\nfalse\nB=2\n", "line 2: exit status 1"),
    ],
)
@pytest.mark.parametrize(
    "words",
    [
        ["bash", "-c", 'source scripts/env.sh; code=$?; echo "not strict" >/dev/null; exit $code'],
        ["bash", "scripts/run_grpo_lora.sh", "--dry-run"],
        ["bash", "scripts/submit.sh", "slurm/grpo.sbatch", "--dry-run"],
        ["bash", "slurm/grpo.sbatch"],
    ],
    ids=["env.sh", "run", "submit", "job"],
)
def test_a_line_that_is_no_setting_is_one_error(place, words, text, message):
    (place.root / ".env").write_text(text)
    done = place.run(*words)
    assert (done.returncode, done.stderr) == (2, f"error: {place.root}/.env: {message}\n")


@pytest.mark.parametrize("value", ["~/a b", '"~/a b"', "'~/a b'", '"$HOME/a b"'])
def test_home_in_settings(place, value, tmp_path):
    value = value.replace("a b", r"a\ b") if value.startswith("~") else value
    (place.root / ".env").write_text(f"OUT_PATH={value}\nVLM_GRPO_CONFIG='~/c.yaml'\n")
    (tmp_path / "c.yaml").write_text("out: ${OUT_PATH}/x\n")
    assert place.output("bash", "scripts/evaluate.sh", "--where", HOME=str(tmp_path)) == f"{tmp_path}/a b/x\n"


def test_home_in_the_environment_and_on_the_command_line(place, tmp_path):
    shown = place.output("bash", "scripts/run_sft_lora.sh", "--where", HOME=str(tmp_path), OUT_PATH="~/runs")
    assert shown == f"{tmp_path}/runs/vsr/qwen/sft\n"
    shown = place.output("bash", "scripts/run_judge.sh", "--where", "--out=~/judged", HOME=str(tmp_path))
    assert shown == f"{tmp_path}/judged\n"


@pytest.mark.parametrize("home", [None, "/proc/no/home"])
def test_without_a_home(place, home):
    done = place.run("bash", "scripts/run_grpo_lora.sh", "--where", HOME=home)
    assert (done.returncode, done.stdout) == (0, f"{place.root}/runs/vsr/qwen/grpo\n"), done.stderr


PRINT_PLACES = 'source scripts/env.sh; printf "%s\\n" "${XDG_CACHE_HOME:-}" "${HF_HOME:-}" "${MPLCONFIGDIR:-}"'


def test_caches_that_cannot_be_written_move_and_are_told(place, tmp_path):
    nowhere = {"HOME": "/proc/no/home", "TMPDIR": str(tmp_path), "MPLCONFIGDIR": None}
    done = place.run("bash", "-c", PRINT_PLACES, **nowhere)
    cache = f"{tmp_path}/vlm-grpo-cache-{os.getuid()}"
    assert done.stdout == f"{cache}\n\n{cache}/matplotlib\n"
    assert f"/proc/no/home/.cache cannot be written: caches go to {cache}" in done.stderr
    done = place.run("bash", "-c", PRINT_PLACES, **nowhere | {"TMPDIR": "/proc/no"})
    assert "error: neither /proc/no/home/.cache nor /proc/no/vlm-grpo-cache" in done.stderr


def test_caches_that_can_be_written_stay(place, tmp_path):
    done = place.run("bash", "-c", PRINT_PLACES, HOME=str(tmp_path), MPLCONFIGDIR=None)
    assert done.stdout == "\n\n\n"
    assert "cannot be written" not in done.stderr


READ_ONLY = """
mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" || exit 77
export HOME=$1
source scripts/env.sh
echo "$HF_HOME"
python -m vlm_grpo.embedded.synthetic_vsr --out "$2/data" --train 4 --validation 2 --test 2
python -m vlm_grpo.evaluation --config configs/embedded/qwen_evaluate.yaml --data "$2/data" --split test --out "$2/out"
"""


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a folder read-only for itself")
def test_an_evaluation_with_a_home_that_is_read_only(place, tmp_path):
    """Models that are in its cache stay where they are."""
    home = tmp_path / "home"
    (home / ".cache/huggingface").mkdir(parents=True)
    words = ["unshare", "--mount", "bash", "-c", READ_ONLY, "-", str(home), str(tmp_path)]
    done = place.run(*words, OUT_PATH=str(tmp_path), DATA_PATH=str(tmp_path), TMPDIR=str(tmp_path))
    if done.returncode == 77 or "unshare failed" in done.stderr:
        pytest.skip("this machine lets nobody mount")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{home}/.cache/huggingface\n")
    assert (tmp_path / "out/manifest.json").is_file()
