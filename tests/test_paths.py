"""`~` means home wherever a path is named: in each command's options, in a YAML file, in a variable, in `.env`."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from vlm_grpo.config import fill_variables
from vlm_grpo.paths import expand_home, expand_word, user_path
from vlm_grpo.where import output_folder

ROOT = Path(__file__).parents[1]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of the test's own, and another working folder: `~` left as it is would be found there."""
    folder = tmp_path / "home"
    folder.mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(tmp_path / "elsewhere")
    return folder


@pytest.mark.parametrize(
    "text, expanded",
    [("~", "{home}"), ("~/", "{home}/"), ("~/a b", "{home}/a b"), ("~x/a", "~x/a"), ("a/~/b", "a/~/b"), ("", "")],
)
def test_only_a_leading_one_is_home(home, text, expanded):
    assert expand_home(text) == expanded.format(home=home)
    assert user_path(text) == Path(expanded.format(home=home))


@pytest.mark.parametrize("variable", [None, ""])
def test_without_the_variable_it_is_the_accounts_home(monkeypatch, variable):
    monkeypatch.delenv("HOME") if variable is None else monkeypatch.setenv("HOME", variable)
    there = subprocess.run(
        ["bash", "-c", "echo ~"],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert expand_home("~/x") == f"{there}/x"


ANOTHER_ACCOUNT = """
import os
from vlm_grpo.paths import expand_home
os.setuid(54321)
print(expand_home("/x"))
expand_home("~/x")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="another account is taken by root only")
def test_an_account_without_a_home_is_told():
    environment = {"PYTHONPATH": str(ROOT / "src")}
    words = [sys.executable, "-c", ANOTHER_ACCOUNT]
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert done.stdout == "/x\n"
    assert "~ means home, but HOME is not set and this account has none; set HOME" in done.stderr


@pytest.mark.parametrize(
    "word, expanded",
    [
        ("~/x", "{home}/x"),
        ("--out=~/x", "--out={home}/x"),
        ("--out", "--out"),
        ("a=~/x", "a=~/x"),
        ("--a=b=~", "--a=b=~"),
    ],
)
def test_words_of_the_command_line(home, word, expanded):
    assert expand_word(word) == expanded.format(home=home)


def test_settings_and_variables(home, monkeypatch):
    monkeypatch.setenv("SOME_DATA", "~/data")
    assert fill_variables("${SOME_DATA}/vsr", where="x") == f"{home}/data/vsr"
    assert fill_variables(["~/a", 3], where="x") == [f"{home}/a", 3]


@pytest.mark.parametrize("words", [["--output_dir", "~/run"], ["--output_dir=~/run"], ["--out=~/run"], []])
def test_a_job_asks_for_the_folder_that_the_command_writes_to(home, words, monkeypatch):
    monkeypatch.setenv("OUT_PATH", "~")
    (home / "config.yaml").write_text("output_dir: ${OUT_PATH}/run\n")
    assert output_folder(["--config=~/config.yaml", *words]) == home / "run"


COMMANDS = {
    "vlm_grpo.embedded.synthetic_vsr": "--out=~/made --train 4 --validation 2 --test 2",
    "vlm_grpo.paper.tables_command": "--out=~/made --split test",
    "vlm_grpo.paper.audit_command": "--out=~/made/audit.md",
}


@pytest.mark.parametrize("module", COMMANDS)
def test_commands_write_below_home(module, home):
    (home / "made").mkdir()
    call = f"from {module} import main; main()"
    words = [sys.executable, "-c", call, *COMMANDS[module].split()]
    done = subprocess.run(words, env=os.environ | {"PYTHONPATH": str(ROOT / "src")}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert any((home / "made").iterdir())
    assert not any(Path.cwd().iterdir()), "nothing beside"


def test_a_dry_run_resolves_each_path(home):
    settings = "model: ~/model\ndata: ~/data\nout: '~/out'\nadapter: ~/adapter\n"
    (home / "e.yaml").write_text(settings)
    words = [sys.executable, "-m", "vlm_grpo.evaluation", "--config=~/e.yaml", "--dry-run", "--adapter=~/other"]
    done = subprocess.run(words, env=os.environ | {"PYTHONPATH": str(ROOT / "src")}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for line in (f"model: {home}/model", f"data: {home}/data", f"out: {home}/out", f"adapter: {home}/other"):
        assert line in done.stdout
    assert "~" not in done.stdout


def test_no_option_of_a_command_takes_a_bare_path():
    """`type=Path` keeps a `~`."""
    source = [*(ROOT / "src").rglob("*.py"), *(ROOT / "benchmarks").glob("*.py")]
    assert len(source) > 100
    assert not [str(file) for file in source if re.search(r"type=(pathlib\.)?Path\b|expanduser", file.read_text())]
