"""`scripts/env.sh` and `setup_env.sh`, run for real (bash, venv, pip) on a checkout whose lists hold one tiny wheel."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from fresh_checkout import SOURCE_AND_REPORT, Checkout, wheel

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(
    sys.version_info[:2] > (3, 12), reason="the locked packages are for Python 3.11 and 3.12"
)


@pytest.fixture(scope="module")
def two_starts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkout, list[tuple[int, str, str]]]:
    """A fresh checkout in which two scripts start at once; what they printed."""
    checkout = Checkout(tmp_path_factory.mktemp("two_starts"))
    processes = [checkout.start(), checkout.start()]
    outputs = [process.communicate() for process in processes]
    return checkout, [(process.returncode, *output) for process, output in zip(processes, outputs, strict=True)]


@pytest.fixture
def ready(two_starts: tuple[Checkout, list[tuple[int, str, str]]], tmp_path: Path) -> Checkout:
    """A checkout of the test's own whose environment is set up."""
    return two_starts[0].copy(tmp_path / "ready")


def test_two_at_once_set_up_once(two_starts: tuple[Checkout, list[tuple[int, str, str]]]) -> None:
    checkout, results = two_starts
    errors = "".join(error for _, _, error in results)
    assert [code for code, _, _ in results] == [0, 0], errors
    assert errors.count("making a virtual environment") == 1
    assert errors.count("is ready") == 1
    for _, output, _ in results:
        prefix, package, _ = json.loads(output)
        assert prefix == str(checkout.root / ".venv")
        assert package == str(checkout.root / "src/vlm_grpo/__init__.py")


def test_nothing_to_do_needs_no_pip(ready: Checkout) -> None:
    for pip in (ready.root / ".venv/lib").glob("python3*/site-packages/pip"):
        shutil.rmtree(pip)
    code, output, errors = ready.run()
    assert code == 0
    assert not errors
    assert json.loads(output)[0] == str(ready.root / ".venv")


def test_a_changed_list_is_installed(ready: Checkout) -> None:
    ready.lock("tiny", "2.0", ready.publish("tiny", "2.0"), files=("cpu",))
    code, output, errors = ready.run("source scripts/env.sh; python -m pip list --format freeze")
    assert code == 0, errors
    assert "tiny==2.0" in output.splitlines()


def test_a_wrong_hash_is_refused_and_leaves_no_stamp(ready: Checkout) -> None:
    ready.publish("tiny", "3.0")
    ready.lock("tiny", "3.0", "0" * 64, files=("cpu",))
    code, _, errors = ready.run()
    assert code == 2
    assert "error: pip could not install" in errors
    assert not (ready.root / ".venv/.vlm-grpo-stamp").exists()


def test_without_a_cpu_build_of_torch_the_cuda_list_is_taken(ready: Checkout) -> None:
    ready.lock("torch", "9.0", "0" * 64, files=("cpu",))
    ready.lock("torch", "9.0", ready.publish("torch", "9.0"), files=("cuda",))
    code, _, errors = ready.run()
    assert code == 0, errors
    assert "no CPU-only build of torch" in errors
    assert (ready.root / ".venv/.vlm-grpo-stamp").read_text().startswith("cuda ")


def test_a_cpu_build_of_torch_is_preferred_and_gives_way_to_cuda(ready: Checkout) -> None:
    ready.lock("torch", "9.0", wheel(ready.folder / "local", "torch", "9.0+cpu"), files=("cpu",))
    ready.lock("torch", "9.0", ready.publish("torch", "9.0"), files=("cuda",))
    version = "source scripts/env.sh; python -c 'import importlib.metadata as m; print(m.version(\"torch\"))'"
    for flavour, installed in (("cpu", "9.0+cpu"), ("cuda", "9.0"), ("cpu", "9.0")):
        code, output, errors = ready.run(version, VLM_GRPO_TORCH=flavour)
        assert (code, output) == (0, f"{installed}\n"), errors


def test_a_moved_environment_is_made_anew(ready: Checkout) -> None:
    (ready.root / ".venv").rename(ready.root / "moved")
    code, output, errors = ready.run(VLM_GRPO_VENV=str(ready.root / "moved"))
    assert code == 0, errors
    assert "was moved" in errors
    assert json.loads(output)[0] == str(ready.root / "moved")


def test_settings_come_from_dotenv_and_the_environment_wins(ready: Checkout) -> None:
    (ready.root / ".env").write_text('DATA_PATH="/from the file"\nOUT_PATH=/from_the_file\n')
    _, output, _ = ready.run(OUT_PATH="/from_outside")
    variables = json.loads(output)[2]
    assert variables["DATA_PATH"] == "/from the file"
    assert variables["OUT_PATH"] == "/from_outside"


def test_defaults_of_the_settings(ready: Checkout) -> None:
    variables = json.loads(ready.run()[1])[2]
    assert variables["VLM_GRPO_ROOT"] == str(ready.root)
    assert variables["DATA_PATH"] == str(ready.root / "data")
    assert variables["OUT_PATH"] == str(ready.root / "runs")
    assert variables["TOKENIZERS_PARALLELISM"] == "false"


def test_a_script_called_by_a_script_uses_the_same_environment(ready: Checkout) -> None:
    (ready.root / "scripts/inner.sh").write_text(SOURCE_AND_REPORT)
    code, output, errors = ready.run("source scripts/env.sh; bash scripts/inner.sh", VLM_GRPO_VENV=None)
    assert (code, errors) == (0, "")
    prefix, _, variables = json.loads(output)
    assert prefix == str(ready.root / ".venv")
    assert variables["PATH"].count(f"{prefix}/bin:") == 1


@pytest.fixture
def bare(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def assert_refused(result: tuple[int, str, str], *words: str) -> None:
    code, output, errors = result
    assert code == 2, errors
    assert output == ""
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1, errors
    assert all(word in errors for word in words), errors


def test_an_old_python_is_refused(bare: Checkout, tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.18 && exit 0\nexit 1\n')
    old.chmod(0o755)
    assert_refused(bare.run(VLM_GRPO_BASE_PYTHON=str(old)), "Python 3.11 or 3.12", "3.9.18", "Pixi")


def test_a_missing_python_is_refused(bare: Checkout) -> None:
    assert_refused(bare.run(VLM_GRPO_BASE_PYTHON="no-such-python"), "Python 3.11 or 3.12", "VLM_GRPO_BASE_PYTHON")


def test_a_folder_with_other_things_is_left_alone(bare: Checkout, tmp_path: Path) -> None:
    place = tmp_path / "papers"
    place.mkdir()
    (place / "thesis.tex").touch()
    assert_refused(bare.run(VLM_GRPO_VENV=str(place)), str(place), "VLM_GRPO_VENV")
    assert (place / "thesis.tex").exists()


def test_an_unknown_flavour_is_refused(bare: Checkout) -> None:
    assert_refused(bare.run(VLM_GRPO_TORCH="gpu"), "'gpu'", "cuda")


def test_an_active_environment_without_the_packages_is_refused(bare: Checkout, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "own"], check=True)
    assert_refused(bare.run(VIRTUAL_ENV=str(tmp_path / "own")), "torch", "trl", "scripts/setup_env.sh")


def test_an_active_environment_that_is_gone_is_refused(bare: Checkout) -> None:
    assert_refused(bare.run(VIRTUAL_ENV="/no/such/place"), "/no/such/place")


def test_an_active_environment_with_the_packages_is_used_as_it_is(bare: Checkout) -> None:
    code, output, errors = bare.run(VLM_GRPO_PYTHON=sys.executable)
    assert code == 0, errors
    assert "as it is" in errors
    assert json.loads(output)[0] == sys.prefix
    assert not (bare.root / ".venv").exists()


def pixi_variables(checkout: Checkout) -> dict[str, str | None]:
    """What `pixi run` sets."""
    prefix = checkout.root / ".pixi/envs/default"
    return {
        "PIXI_PROJECT_ROOT": str(checkout.root),
        "PIXI_PROJECT_MANIFEST": str(checkout.root / "pixi.toml"),
        "PIXI_PROJECT_NAME": "vlm-grpo",
        "PIXI_ENVIRONMENT_NAME": "default",
        "PIXI_IN_SHELL": "1",
        "CONDA_PREFIX": str(prefix),
        "CONDA_DEFAULT_ENV": "vlm-grpo",
        "PATH": f"{prefix}/bin:{os.environ['PATH']}",
        "VLM_GRPO_VENV": None,
        "VLM_GRPO_BASE_PYTHON": None,
    }


@pytest.fixture
def pixi(ready: Checkout) -> Checkout:
    """A checkout in which Pixi has made its environment: a Python and pip, without our packages."""
    (ready.root / ".pixi/envs").mkdir(parents=True)
    prefix = (ready.root / ".venv").rename(ready.root / ".pixi/envs/default")
    (prefix / ".vlm-grpo-stamp").unlink()
    (prefix / "conda-meta").mkdir()
    return ready


def task(name: str) -> str:
    return str(tomllib.loads((ROOT / "pixi.toml").read_text())["tasks"][name]["cmd"])


def test_inside_pixi_setup_then_scripts_use_its_environment(pixi: Checkout) -> None:
    variables = pixi_variables(pixi)
    code, _, errors = pixi.run(task("setup"), **variables)
    assert code == 0, errors
    assert ".pixi/envs/default is ready" in errors
    code, output, errors = pixi.run(**variables)
    assert (code, errors) == (0, "")
    assert json.loads(output)[0] == variables["CONDA_PREFIX"]
    assert not (pixi.root / ".venv").exists()


def test_outside_pixi_its_setup_runs_once(pixi: Checkout, tmp_path: Path) -> None:
    """The `pixi` here stands for the real one: it notes its arguments and runs the task as Pixi does."""
    calls = tmp_path / "calls"
    exports = "\n".join(f"export {k}='{v}'" for k, v in pixi_variables(pixi).items() if v is not None)
    program = tmp_path / "bin/pixi"
    program.parent.mkdir()
    program.write_text(f'#!/bin/bash\necho "$*" >> {calls}\n{exports}\ncd {pixi.root}\nexec {task("setup")}\n')
    program.chmod(0o755)
    variables: dict[str, str | None] = {"PATH": f"{program.parent}:{os.environ['PATH']}", "VLM_GRPO_VENV": None}
    for _ in range(2):
        code, output, errors = pixi.run(**variables)
        assert code == 0, errors
        assert json.loads(output)[0] == str(pixi.root / ".pixi/envs/default")
    assert calls.read_text() == f"run --frozen --manifest-path {pixi.root}/pixi.toml setup\n"
