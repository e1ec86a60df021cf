"""What Pixi's activation does, with bash, venv and pip run for real and a stand-in for Pixi (`pixi_stand_in.py`)."""

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from fresh_checkout import REPORT, Checkout

ROOT = Path(__file__).resolve().parents[2]
PIXI = f"{sys.executable} {ROOT / 'tests/pixi_stand_in.py'}"
RUN_REPORT = f"{PIXI} run python -c '{REPORT}'"
SOURCE = ". scripts/pixi_activate.sh"

pytestmark = pytest.mark.skipif(
    sys.version_info[:2] > (3, 12), reason="the locked packages are for Python 3.11 and 3.12"
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `pixi install` leaves: an environment with Python and pip, without our packages."""
    prefix = tmp_path_factory.mktemp("pixi") / "default"
    subprocess.run([sys.executable, "-m", "venv", prefix], check=True)
    (prefix / "conda-meta").mkdir()
    return prefix


def clone(made: Path, folder: Path) -> Checkout:
    """A fresh clone in which Pixi has made its environment."""
    checkout = Checkout(folder)
    shutil.copytree(made, checkout.root / ".pixi/envs/default", symlinks=True)
    for name in ("VLM_GRPO_VENV", "VLM_GRPO_BASE_PYTHON"):
        del checkout.variables[name]
    return checkout


@pytest.fixture
def fresh(made: Path, tmp_path: Path) -> Checkout:
    return clone(made, tmp_path)


@pytest.fixture(scope="module")
def two_first(made: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkout, list[tuple[int, str, str]]]:
    """A clone in which two first commands start at once; what they printed."""
    checkout = clone(made, tmp_path_factory.mktemp("two_first"))
    processes = [checkout.start(RUN_REPORT) for _ in range(2)]
    outputs = [process.communicate() for process in processes]
    return checkout, [(process.returncode, *output) for process, output in zip(processes, outputs, strict=True)]


@pytest.fixture
def ready(two_first: tuple[Checkout, list[tuple[int, str, str]]]) -> Checkout:
    """A clone that is set up; what it is set up with stays as it is."""
    return two_first[0]


def prefix_of(checkout: Checkout) -> Path:
    return checkout.root / ".pixi/envs/default"


def inside(checkout: Checkout) -> dict[str, str | None]:
    """The variables of a shell in which Pixi sources the script: `pixi shell`, `eval "$(pixi shell-hook)"`."""
    return {"PIXI_PROJECT_ROOT": str(checkout.root), "CONDA_PREFIX": str(prefix_of(checkout))}


def test_the_manifest_names_a_script_that_pixi_can_source() -> None:
    (name,) = tomllib.loads((ROOT / "pixi.toml").read_text())["activation"]["scripts"]
    assert name.endswith(".sh")
    assert (ROOT / name).is_file()


def log_of(checkout: Checkout) -> str:
    return (prefix_of(checkout) / ".vlm-grpo-activation.log").read_text()


def test_first_commands_set_up_once_with_a_line_each(two_first: tuple[Checkout, list[tuple[int, str, str]]]) -> None:
    checkout, results = two_first
    for code, output, errors in results:
        assert code == 0, errors
        assert errors.startswith(f"vlm-grpo: setting up {prefix_of(checkout)}, once;")
        assert errors.count("\n") == 1, errors
        _, package, variables = json.loads(output)
        assert package == str(checkout.root / "src/vlm_grpo/__init__.py")
        assert variables["PYTHONPATH"] == str(checkout.root / "src")
        assert variables["VLM_GRPO_ROOT"] == str(checkout.root)
        assert variables["DATA_PATH"] == str(checkout.root / "data")
        assert variables["TOKENIZERS_PARALLELISM"] == "false"
    assert log_of(checkout).count("is ready") == 1
    assert list(prefix_of(checkout).glob("lib/python3*/site-packages/tiny.py"))
    assert not (checkout.root / ".venv").exists()


def test_later_commands_set_up_nothing(ready: Checkout) -> None:
    log = log_of(ready)
    code, output, errors = ready.run(RUN_REPORT)
    assert (code, errors) == (0, "")
    assert json.loads(output)[2]["PYTHONPATH"] == str(ready.root / "src")
    assert log_of(ready) == log


def test_the_setup_task_shows_all_of_its_output(fresh: Checkout) -> None:
    code, _, errors = fresh.run(f"{PIXI} run --frozen --manifest-path {fresh.root}/pixi.toml setup")
    assert code == 0, errors
    assert "installing 1 packages from requirements/cpu.txt" in errors
    assert "is ready (cpu" in errors
    assert "vlm-grpo: setting up" not in errors


def broken(checkout: Checkout) -> None:
    checkout.publish("tiny", "3.0")
    checkout.lock("tiny", "3.0", "0" * 64, files=("cpu",))


def assert_told_in_one_line(checkout: Checkout, errors: str) -> None:
    *before, last = errors.splitlines()
    assert len(before) == 1
    assert last.startswith("error: the Pixi environment is not set up: pip could not install ")
    assert last.endswith("; type: pixi run setup")
    assert not (prefix_of(checkout) / ".vlm-grpo-stamp").exists()


def test_a_failure_is_told_in_one_line_and_the_command_runs(fresh: Checkout) -> None:
    broken(fresh)
    code, output, errors = fresh.run(f"{PIXI} run echo the command")
    assert (code, output) == (0, "the command\n")
    assert_told_in_one_line(fresh, errors)
    code, _, errors = fresh.run(f"{PIXI} run setup")
    assert code == 2
    assert "error: pip could not install" in errors


@pytest.mark.parametrize("shell", ["bash -eu", "dash -eu", "zsh -eu"])
def test_sourced_by_a_shell(fresh: Checkout, shell: str) -> None:
    """As `pixi shell` does it; a failure leaves the shell alive, whatever its options."""
    if shutil.which(shell.split()[0]) is None:
        pytest.skip(f"no {shell} here")
    report = 'echo "$- alive"; echo "${PYTHONPATH:-none}"'
    reason = fresh.root / "requirements/cpu.txt"
    good = reason.read_text()
    broken(fresh)
    code, output, errors = fresh.run(f"{shell} -c '{SOURCE}; {report}'", **inside(fresh))
    assert code == 0, errors
    assert output.splitlines()[0].endswith(" alive")
    assert output.splitlines()[1] == "none"
    assert_told_in_one_line(fresh, errors)
    reason.write_text(good)
    code, output, errors = fresh.run(f"{shell} -c '{SOURCE}; {report}'", **inside(fresh))
    assert code == 0, errors
    assert output.splitlines()[1] == str(fresh.root / "src")


def test_settings_of_dotenv_arrive_as_they_are(ready: Checkout) -> None:
    value = "/with 'quotes', \"more\", $dollars and `backticks`"
    quoted = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("`", "\\`")
    (ready.root / ".env").write_text(f'DATA_PATH="{quoted}"\nOUT_PATH=/from_the_file\n')
    code, output, errors = ready.run(RUN_REPORT, OUT_PATH="/from_outside")
    (ready.root / ".env").unlink()
    assert code == 0, errors
    variables = json.loads(output)[2]
    assert variables["DATA_PATH"] == value
    assert variables["OUT_PATH"] == "/from_outside"


def test_scripts_find_nothing_left_to_do(ready: Checkout) -> None:
    (ready.root / "scripts/inner.sh").write_text(f"source scripts/env.sh; python -c '{REPORT}'")
    code, output, errors = ready.run(f"{PIXI} run bash scripts/inner.sh")
    assert (code, errors) == (0, "")
    assert json.loads(output)[2]["CONDA_PREFIX"] == str(prefix_of(ready))


def test_outside_pixi_the_script_says_what_to_source(ready: Checkout) -> None:
    code, _, errors = ready.run(f"bash -c '{SOURCE}; echo alive'")
    assert code == 0
    assert errors == "error: scripts/pixi_activate.sh is for Pixi to source; type: source scripts/env.sh\n"
