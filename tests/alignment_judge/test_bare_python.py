"""The commands of `alignment_judge/` under a Python that lacks the packages: one line that says what to type."""

import os
import subprocess
import sys

import pytest

from vlm_grpo.store.provenance import REPOSITORY

FOLDER = REPOSITORY / "alignment_judge"
COMMANDS = sorted(path.name for path in FOLDER.glob("*.py"))
BARE = ("-S", "-E")
"""Neither site-packages nor PYTHONPATH: the standard library alone."""


def run(*words, cwd=REPOSITORY, **variables):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PIXI_", "PYTHON"))} | variables
    return subprocess.run(
        [sys.executable, *map(str, words)], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def test_these_are_the_commands():
    assert COMMANDS == ["agreement.py", "audit.py", "judge.py", "label.py", "statistics.py"]


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_without_the_packages_one_line_says_what_to_type(name, arguments):
    done = run(*BARE, FOLDER / name, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "lacks the package numpy; type: source scripts/env.sh (then the same command again)" in done.stderr


def test_what_to_type_fits_where_one_is():
    assert "type: source ../scripts/env.sh" in run(*BARE, "statistics.py", cwd=FOLDER).stderr
    assert "type: pixi run setup" in run(*BARE, FOLDER / "judge.py", PIXI_PROJECT_ROOT=str(REPOSITORY)).stderr


def test_a_package_that_is_missed_later_is_told_too(tmp_path):
    """matplotlib is only imported to draw."""
    hidden = "import sys; sys.modules['matplotlib'] = None; sys.path.insert(0, {!r}); sys.argv = ['x', '--out', {!r}]; "
    script = "import runpy; runpy.run_path({!r}, run_name='__main__')"
    done = run("-c", (hidden + script).format(str(FOLDER), str(tmp_path), str(FOLDER / "statistics.py")))
    assert done.returncode == 2
    assert "lacks the package matplotlib" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [("--check",), ("--format", "json")])
def test_the_tables_need_no_torch(arguments):
    hidden = "import sys; sys.modules.update(dict.fromkeys(('torch', 'transformers', 'datasets', 'trl', 'peft'))); "
    script = f"import runpy; sys.argv[1:] = {list(arguments)!r}; runpy.run_path({str(FOLDER / 'statistics.py')!r}, "
    done = run("-c", hidden + script + "run_name='__main__')")
    assert done.returncode == 0, done.stderr


def test_the_checkouts_own_sources_are_used(tmp_path):
    """Also where another vlm_grpo would be found, and in a Python that adds no folder of a script to its path."""
    (tmp_path / "vlm_grpo").mkdir()
    (tmp_path / "vlm_grpo/__init__.py").write_text("raise SystemExit('the wrong one')\n")
    done = run("-P", FOLDER / "statistics.py", "--check", PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "54 figures, all equal to the published ones" in done.stderr
