"""The rooms of the package lie one above the other: no module imports from a room above its own."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "vlm_grpo"
ROOMS = (
    "errors",
    "text_files",
    "paths",
    "option_types",
    "ranges",
    "escapes",
    "pair_names",
    "yaml_scalars",
    "yaml_layers",
    "start",
    "progress",
    "prompts",
    "tables",
    "drawing",
    "store",
    "statistics",
    "config",
    "rows",
    "adapters",
    "decoding",
    "verdicts",
    "tasks",
    "rewards",
    "environments",
    "methods",
    "merge",
    "evaluation",
    "attention",
    "judge",
    "alignment",
    "labelling",
    "faithfulness",
    "paper",
    "bias",
    "study",
    "embedded",
    "where",
)
"""From the ground up; a name is a folder or a single file of the package."""
DOORS = ("training", "datasets", "results")
"""Folders that hold the public names of commands and nothing else; they may import from everywhere."""

MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.name != "__init__.py")


def room_of(module: str) -> str:
    return module.split(".")[1]


def imported(path: Path) -> list[str]:
    """The package's modules that `path` imports, anywhere in it."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names += [f"vlm_grpo.{alias.name}" for alias in node.names] if node.module == "vlm_grpo" else [node.module]
    return [name for name in names if name.startswith("vlm_grpo.")]


def test_every_room_has_a_place():
    assert {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in MODULES} == {*ROOMS, *DOORS}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_import_runs_upwards(path):
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if room in DOORS:
        assert len(path.read_text(encoding="utf-8").splitlines()) < 10, "a door holds no code"
        return
    for name in imported(path):
        assert room_of(name) not in DOORS, f"{path} imports {name}, a public name of a command"
        assert ROOMS.index(room_of(name)) <= ROOMS.index(room), f"{path} ({room}) imports {name}, which lies above"
