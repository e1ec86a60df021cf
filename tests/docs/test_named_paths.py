"""The files, folders and commands that the README and the other pages name are there.

Read are links, and in code the words that look like paths of the repository: with the suffix of a source, below one of
its folders, or with a slash at the end. A short form (`groups.py`, `study/`) may be the end of any path. Left out are
places that commands write to, which git ignores or that follow `--out` or `results:`, and placeholders (`FILE.yaml`,
`my_NAME/`).
"""

import re
import subprocess
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

from test_rooms import DOORS

ROOT = Path(__file__).parents[2]
PAGES = (
    "README.md",
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md")),
    "alignment_judge/README.md",
    "benchmarks/README.md",
    "results/paper/README.md",
    "src/vlm_grpo/embedded/README.md",
)
LINK = re.compile(r"\]\(([^)#\s]+)\)")
CODE = re.compile(r"^```[^\n]*\n(.*?)^```|^( {4}.*?)$|`([^`\n]+)`", re.MULTILINE | re.DOTALL)
WORD = re.compile(r"(?<![\w./${-])[\w.*-]+(?:/[\w.*-]+)*/?")
WRITTEN = re.compile(r"(?:--(?:out|output_dir|json)[ =]|^ *(?:results|work): )\S+", re.MULTILINE)
SOURCE = re.compile(r"\.(?:py|sh|sbatch|yaml|md|ipynb|jinja|svg)$")
PLACEHOLDER = re.compile(r"[a-z_]*[A-Z_]+(?:\.\w+)?")
TITLE = re.compile(r'title="([^"]+)"')
MODULE = re.compile(r"python -m (vlm_grpo[\w.]*\w)")


@cache
def tracked() -> tuple[str, ...]:
    """Every tracked file, and every folder that holds one."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    files = [Path(name) for name in listing.stdout.split("\0") if name]
    return tuple(sorted({str(path) for file in files for path in (file, *file.parents)} - {"."}))


@cache
def ignored() -> tuple[str, ...]:
    """What git ignores at the top of the checkout."""
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    return tuple(line.strip("/*") for line in lines if line.startswith("/"))


def is_there(name: str, page: Path) -> bool:
    name = name.rstrip("/")
    if (page.parent / name).exists() or (ROOT / name).exists():
        return True
    return any(fnmatch(path, name) or fnmatch(path, f"*/{name}") for path in tracked())


def is_path(word: str) -> bool:
    top = word.split("/")[0]
    if word in ignored() or word.startswith(tuple(f"{place}/" for place in ignored())):
        return False
    if PLACEHOLDER.fullmatch(Path(word).name):
        return False
    return bool(SOURCE.search(word)) or word.endswith("/") or ("/" in word and top in tracked())


def named(text: str) -> set[str]:
    code = WRITTEN.sub("", "\n".join("".join(parts) for parts in CODE.findall(text)))
    words = {word.rstrip(".") for word in WORD.findall(code)}
    return {word for word in words if is_path(word)} - set(TITLE.findall(text))


@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_names_is_there(name):
    page = ROOT / name
    text = page.read_text(encoding="utf-8")
    assert [link for link in LINK.findall(text) if "://" not in link and not (page.parent / link).exists()] == []
    assert sorted(word for word in named(text) if not is_there(word, page)) == []


@pytest.mark.parametrize("name", PAGES)
def test_the_modules_of_a_page_are_commands(name):
    for module in MODULE.findall((ROOT / name).read_text(encoding="utf-8")):
        path = ROOT / "src" / module.replace(".", "/")
        command = path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
        assert command.is_file(), f"{name}: python -m {module}"
        assert 'if __name__ == "__main__"' in command.read_text(encoding="utf-8"), f"{module} is no command"


def test_the_readme_names_every_room():
    (row,) = re.findall(
        r"^\| `src/vlm_grpo/` \| (.*) \|$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    rooms = {path.parent.name for path in (ROOT / "src/vlm_grpo").glob("*/__init__.py")} - set(DOORS)
    assert set(re.findall(r"`(\w+)`", row)) == rooms


def test_the_search_finds_what_is_known_to_be_named():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert {"scripts/quickstart.sh", "alignment_judge/statistics.py", "configs/study/vsr.yaml", "study/"} <= named(text)
    assert named("`src/vlm_grpo/tasks/nowhere.py` and `groups.py`, `FILE.yaml`, `python x.py --out results/y`") == {
        "src/vlm_grpo/tasks/nowhere.py",
        "groups.py",
        "x.py",
    }
    assert not is_there("src/vlm_grpo/tasks/nowhere.py", ROOT / "README.md")


@pytest.mark.parametrize("page", PAGES)
def test_named_tests_are_there(page):
    for file, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / page).read_text(encoding="utf-8")):
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), f"{page}: no {name} in {file}"
