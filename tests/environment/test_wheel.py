"""The wheel in a fresh environment, outside the checkout: judge, tables, figures and agreement run from it."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from guess_and_thought import ROWS, save_guess_and_thought

ROOT = Path(__file__).resolve().parents[2]
TRAINING = {"torch", "transformers", "datasets", "trl", "peft", "accelerate"}

pytestmark = pytest.mark.slow


class Installed:
    """A Python with the wheel and the packages of the one that runs this, without the checkout, in an empty folder."""

    def __init__(self, python: Path, folder: Path) -> None:
        self.python, self.folder = python, folder

    def run(self, *words: object, ok: bool = True) -> str:
        """Run `python -m WORDS`, which imports nothing of training; returns its stdout, or its stderr if not `ok`."""
        environment = {
            k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VLM_GRPO", "VIRTUAL", "PIXI_"))
        }
        done = subprocess.run(
            [self.python, "-X", "importtime", "-m", *map(str, words)],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        lines = done.stderr.splitlines()
        imported = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
        errors = "\n".join(line for line in lines if not line.startswith("import time:"))
        assert done.returncode == (0 if ok else 2), errors
        assert "Traceback" not in errors
        assert "vlm_grpo.errors" in imported
        assert not TRAINING & imported
        return done.stdout if ok else errors


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    place = tmp_path_factory.mktemp("wheel")
    source = place / "source"  # setuptools writes beside what it builds
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    pip = [sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-index"]
    build = [*pip, "wheel", *offline, "--no-build-isolation", "--wheel-dir", place, source]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = place.glob("vlm_grpo-*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place / "venv"], check=True)
    python = place / "venv/bin/python"
    subprocess.run([*pip, "--python", python, "install", *offline, wheel], check=True, capture_output=True)
    # a line of a .pth file adds a folder whose own .pth files (the checkout's among them) do not count
    (packages,) = (place / "venv/lib").glob("python3*/site-packages")
    (packages / "beside.pth").write_text("\n".join({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}))
    empty = place / "empty"
    empty.mkdir()
    return Installed(python, empty)


@pytest.fixture(scope="module")
def judged(installed: Installed) -> Path:
    """Verdicts of two repeats by the rules judge, made by the installed command."""
    named = save_guess_and_thought(installed.folder)
    installed.run("vlm_grpo.judge", "--judge", "rules", *named, "--repeats", 2, "--out", "verdicts")
    return installed.folder / "verdicts/verdicts.jsonl"


def test_it_is_the_wheel_that_runs(installed: Installed) -> None:
    probe = "import vlm_grpo, sys; print(vlm_grpo.__file__, *sys.path, sep='\\n')"
    shown = subprocess.run([installed.python, "-I", "-c", probe], check=True, capture_output=True, text=True).stdout
    assert shown.startswith(str(installed.python.parents[1]))
    assert str(ROOT / "src") not in shown


def test_tables_and_figures(installed: Installed, judged: Path) -> None:
    shown = installed.run("vlm_grpo.alignment", "--verdicts", judged, "--out", "tables")
    assert "test: types of misalignment, judge rules (taxonomy prompt)" in shown
    rows = {row["model"]: row for row in json.loads((installed.folder / "tables/alignment.json").read_text())}
    assert (rows["base"]["types"]["irrelevant"], rows["grpo"]["misaligned"]) == (ROWS, 0)
    assert (installed.folder / "tables/misaligned_types.png").exists()


def test_agreement(installed: Installed, judged: Path) -> None:
    shown = installed.run("vlm_grpo.paper.agreement_command", "--verdicts", judged)
    assert f"agree on {2 * ROWS} of {2 * ROWS} = 100.0 %" in shown


def test_prices_and_prompts_are_in_it(installed: Installed, judged: Path) -> None:
    arm = ["--generations", "base=base.jsonl", "--out", "never", "--dry-run"]
    for prompt in ("taxonomy", "simple"):
        assert "cost: about $" in installed.run("vlm_grpo.judge", "--prompt", prompt, "--model", "gpt-5", *arm)


def test_what_needs_the_checkout_says_so_in_one_line(installed: Installed) -> None:
    for words in (["vlm_grpo.alignment"], ["vlm_grpo.paper.agreement_command"]):
        message = installed.run(*words, ok=False)
        assert message.count("\n") == 0
        assert "--paper" in message
        assert "checkout" in message
