"""`requirements/` pins all that `pyproject.toml` asks for, with hashes, alike for CPU and CUDA, from no named place."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
ENTRY = re.compile(
    r"^(?P<name>[a-z0-9-]+)==(?P<version>\S+)(?P<hashes>(?: \\\n    --hash=sha256:[0-9a-f]{64})*)\n", re.M
)
CUDA_ONLY = re.compile(r"nvidia-|cuda-|triton$")
FILES = ("build.txt", "cpu.txt", "cuda.txt")


def entries(filename: str) -> dict[str, re.Match[str]]:
    return {match["name"]: match for match in ENTRY.finditer((ROOT / "requirements" / filename).read_text())}


def pins(filename: str) -> dict[str, str]:
    return {name: match["version"] for name, match in entries(filename).items()}


def project_requirements() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    texts = [text for name in extras.keys() - {"tracking"} for text in extras[name]]
    return [Requirement(text) for text in project["dependencies"] + texts]


@pytest.mark.parametrize("filename", FILES)
def test_every_line_is_a_hashed_pin_or_a_comment(filename: str) -> None:
    text = (ROOT / "requirements" / filename).read_text()
    rest = [line for line in ENTRY.sub("", text).splitlines() if line and not line.lstrip().startswith("#")]
    assert not rest
    assert all(match["hashes"] for match in entries(filename).values())


@pytest.mark.parametrize("filename", FILES)
def test_no_address_in_it(filename: str) -> None:
    text = (ROOT / "requirements" / filename).read_text()
    assert "://" not in text
    assert not re.search(r"^\s*-(i|f|-index|-extra-index|-find-links)", text, re.M)


def test_same_versions_for_cpu_and_cuda() -> None:
    cpu, cuda = pins("cpu.txt"), pins("cuda.txt")
    assert cpu == {name: cuda[name] for name in cpu}
    assert pins("build.txt").items() <= cpu.items()


def test_cuda_adds_only_the_cuda_libraries() -> None:
    extra = pins("cuda.txt").keys() - pins("cpu.txt").keys()
    assert extra
    assert all(CUDA_ONLY.match(name) for name in extra), extra
    assert not [name for name in pins("cpu.txt") if CUDA_ONLY.match(name)]


def test_torch_is_pinned_exactly_and_its_builds_differ() -> None:
    (torch,) = (requirement for requirement in project_requirements() if requirement.name == "torch")
    assert str(torch.specifier) == f"=={pins('cpu.txt')['torch']}"
    assert entries("cpu.txt")["torch"]["hashes"] != entries("cuda.txt")["torch"]["hashes"]


def test_pins_satisfy_the_project() -> None:
    cpu = pins("cpu.txt")
    for requirement in project_requirements():
        name = canonicalize_name(requirement.name)
        assert name in cpu, f"{requirement}: not in the lock, run scripts/lock.sh"
        assert requirement.specifier.contains(Version(cpu[name])), f"{requirement}: locked is {cpu[name]}"


def test_closure_of_the_cpu_list_is_complete() -> None:
    """Each installed package of the locked version asks for nothing that the list lacks."""
    cpu = pins("cpu.txt")
    installed = {canonicalize_name(d.metadata["Name"]): d for d in importlib.metadata.distributions()}
    unmet, seen = [], 0
    for name in cpu.keys() & installed.keys() - {"torch"}:
        if Version(installed[name].version) != Version(cpu[name]):
            continue
        seen += 1
        for text in installed[name].requires or []:
            requirement = Requirement(text)
            if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
                continue
            locked = cpu.get(canonicalize_name(requirement.name))
            if locked is None or not requirement.specifier.contains(Version(locked), prereleases=True):
                unmet.append(f"{name} asks for {requirement}, locked is {locked}")
    assert not unmet
    assert seen > 0


PART_OF = {"pydantic_core": "pydantic", "markdown_it": "rich"}
"""Packages that another one, which is asked for, is made of."""


def test_what_is_imported_is_asked_for() -> None:
    owners = importlib.metadata.packages_distributions()
    asked = {canonicalize_name(requirement.name) for requirement in project_requirements()}
    undeclared = set()
    for folder in ("src", "alignment_judge", "benchmarks", "scripts", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            for name in imported(path) & owners.keys() - set(sys.stdlib_module_names) - {"vlm_grpo"}:
                if not asked & {PART_OF.get(name) or canonicalize_name(owner) for owner in owners[name]}:
                    undeclared.add(f"{path.relative_to(ROOT)}: {name}")
    assert not undeclared


def imported(path: Path) -> set[str]:
    """Return the top-level names that a file imports."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    whole = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    parts = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return {name.partition(".")[0] for name in whole | parts}
