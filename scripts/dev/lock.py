"""Pin every package of the project, with hashes, into `requirements/`.

    bash scripts/lock.sh [--upgrade] [--cpu-wheels FOLDER]

Three files come out of one resolution of `pyproject.toml` (base and extras), so what they share has one version:

* `cuda.txt`   everything, with the CUDA libraries that torch's Linux build asks for;
* `cpu.txt`    the same without them: of torch's dependencies, only those of a platform without CUDA;
* `build.txt`  what turns the few source packages (deepspeed among them) into wheels; installed before the others.

They hold names, versions and hashes and no address: whichever index or mirror pip is set up for serves them. pip
resolves from metadata alone, so no gigabytes travel. The hashes cover each file of a release that fits CPython 3.11 or
3.12 on Linux (x86_64, aarch64), and its source archive. Versions in the present `cuda.txt` stay unless `--upgrade`.

`torch` in `cpu.txt` is its CPU-only build, which the default index does not carry: put such wheels into a folder and
name it with `--cpu-wheels`. Without it, the hashes in the present `cpu.txt` stay. The index's own hashes are left out
there, because pip would prefer the file that they belong to. The extra `tracking` is not locked: TRL imports these
packages at every start wherever they are installed, which costs a second each time.

Only the index is asked (PIP_INDEX_URL, else pip's default): pip's configuration files and further links are left out,
so that the result does not depend on whose machine made it. Needs Python 3.11 on Linux, with the `dev` extra.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements"
PIP = "pip==26.3"
BUILD_TOOLS = {"setuptools"}
UNLOCKED_EXTRAS = {"tracking"}
MACHINES = ("x86_64", "aarch64")
PYTHONS = ("3.11", "3.12")
INTERPRETERS = ("py3", "py311", "py312", "cp311", "cp312")
PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)
HEADER = "# Made by scripts/dev/lock.py from pyproject.toml: do not edit. {about}\n\n"

Graph = dict[str, list[Requirement]]


def main() -> None:
    """Resolve, hash and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that pyproject.toml allows")
    parser.add_argument("--cpu-wheels", type=Path, metavar="FOLDER", help="folder with CPU-only builds of torch")
    options = parser.parse_args()

    roots = project_requirements()
    report, index = resolve(roots, keep={} if options.upgrade else pinned_versions(REQUIREMENTS / "cuda.txt"))
    metadata = {canonicalize_name(item["metadata"]["name"]): item["metadata"] for item in report["install"]}
    versions = {name: data["version"] for name, data in metadata.items()}
    graph = {name: [Requirement(text) for text in data.get("requires_dist", [])] for name, data in metadata.items()}

    everywhere = {name for machine in MACHINES for python in PYTHONS for name in closure(roots, graph, python, machine)}
    if missing := everywhere - versions.keys():
        sys.exit(
            f"pyproject.toml: {', '.join(sorted(missing))} is needed on another Python or machine only: name it there"
        )
    without_cuda = closure(roots, graph, PYTHONS[0], MACHINES[0], torch_platform="Darwin")

    with httpx.Client(follow_redirects=True, timeout=60) as client, ThreadPoolExecutor(8) as pool:
        pages = pool.map(lambda name: release_hashes(client, index, name, versions[name]), versions)
        hashes = dict(zip(versions, pages, strict=True))
    cpu_hashes = hashes | {"torch": cpu_only_hashes(options.cpu_wheels, versions["torch"])}

    reasons = dependents(roots, graph, versions)
    write("cuda.txt", "Linux with an NVIDIA GPU.", versions, set(versions), hashes, reasons)
    write("cpu.txt", "No CUDA libraries: install with --no-deps.", versions, without_cuda, cpu_hashes, reasons)
    write("build.txt", "What builds the source packages.", versions, BUILD_TOOLS, hashes, reasons)


def project_requirements() -> list[Requirement]:
    """Return what `pyproject.toml` asks for, base and extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    texts = [text for name in extras.keys() - UNLOCKED_EXTRAS for text in extras[name]]
    return [Requirement(text) for text in project["dependencies"] + texts]


def pinned_versions(path: Path) -> dict[str, str]:
    """Return name → version of an existing requirements file, or nothing if there is none."""
    return dict(PIN.findall(path.read_text())) if path.exists() else {}


def resolve(roots: list[Requirement], keep: dict[str, str]) -> tuple[dict, str]:
    """Let a fresh pip resolve, from metadata only; return its report and the address of the index it used."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_FIND", "PIP_EXTRA"))}
    environment["PIP_CONFIG_FILE"] = os.devnull
    with tempfile.TemporaryDirectory(prefix="vlm-grpo-lock-") as scratch:
        venv.create(scratch, with_pip=True)
        python = f"{scratch}/bin/python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", PIP], check=True, env=environment)
        wanted, constraints, report = (Path(scratch, name) for name in ("wanted.txt", "constraints.txt", "report.json"))
        wanted.write_text("\n".join(str(root) for root in roots))
        constraints.write_text("\n".join(f"{name}=={version}" for name, version in keep.items()))
        dry_run = ["install", "--dry-run", "--ignore-installed", "--use-feature=fast-deps", "--report", str(report)]
        command = [python, "-m", "pip", *dry_run, "--requirement", str(wanted), "--constraint", str(constraints)]
        subprocess.run(command, check=True, env=environment)
        ask = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
        default = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True).stdout.strip()
        return json.loads(report.read_text()), environment.get("PIP_INDEX_URL") or default


def closure(
    roots: list[Requirement], graph: Graph, python: str, machine: str, *, torch_platform: str = "Linux"
) -> set[str]:
    """Return the names that `roots` need; `torch_platform` is the system that torch's own markers see."""
    seen: set[tuple[str, str]] = set()
    queue = [(root, "", "") for root in roots]
    while queue:
        requirement, extra, parent = queue.pop()
        system = torch_platform if parent == "torch" else "Linux"
        marker = {"python_version": python, "python_full_version": f"{python}.0", "platform_machine": machine}
        marker |= {"platform_system": system, "sys_platform": "linux", "extra": extra}
        if requirement.marker and not requirement.marker.evaluate(marker):
            continue
        name = canonicalize_name(requirement.name)
        for wanted in ("", *requirement.extras):
            if (name, wanted) not in seen:
                seen.add((name, wanted))
                queue += [(child, wanted, name) for child in graph.get(name, [])]
    return {name for name, _ in seen}


class FileLinks(HTMLParser):
    """Collects (file name, sha256) from an index page (PEP 503)."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take one link."""
        link = urlsplit(dict(attrs).get("href") or "")
        if tag == "a" and link.fragment.startswith("sha256="):
            self.files.append((unquote(link.path.rpartition("/")[2]), link.fragment.removeprefix("sha256=")))


def release_hashes(client: httpx.Client, index: str, name: str, version: str) -> set[str]:
    """Return the sha256 of each file of a release that our Pythons and machines can use."""
    response = client.get(
        f"{index.rstrip('/')}/{name}/", headers={"Accept": "application/vnd.pypi.simple.v1+html, text/html"}
    )
    response.raise_for_status()
    page = FileLinks()
    page.feed(response.text)
    hashes = {sha256 for filename, sha256 in page.files if usable(filename, version)}
    if not hashes:
        sys.exit(f"{name}=={version}: the index lists no usable file with a sha256")
    return hashes


def usable(filename: str, version: str) -> bool:
    """Tell whether a file is of this version and for a Python and machine of ours (or a source archive)."""
    if filename.endswith(f"-{version}.tar.gz"):
        return True
    if f"-{version}-" not in filename or not filename.endswith(".whl"):
        return False
    return any(
        (tag.interpreter in INTERPRETERS or tag.abi == "abi3")
        and (tag.platform == "any" or ("manylinux" in tag.platform and tag.platform.endswith(MACHINES)))
        for tag in parse_wheel_filename(filename)[3]
    )


def cpu_only_hashes(folder: Path | None, version: str) -> set[str]:
    """Return the sha256 of torch's CPU-only builds: from wheels in `folder`, else those the present file accepts."""
    if folder:
        wheels = sorted(folder.glob(f"torch-{version}+cpu-*.whl"))
        if not wheels:
            sys.exit(f"{folder}: no torch-{version}+cpu-*.whl in this folder")
        return {hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in wheels}
    path = REQUIREMENTS / "cpu.txt"
    if pinned_versions(path).get("torch") != version:
        sys.exit(f"{path}: no CPU-only build of torch {version} is known: pass --cpu-wheels FOLDER")
    entry = re.search(r"^torch==.*?(?=^\S)", path.read_text(), re.MULTILINE | re.DOTALL)
    return set(re.findall(r"sha256:(\w+)", entry[0])) if entry else set()


def dependents(roots: list[Requirement], graph: Graph, versions: dict[str, str]) -> dict[str, str]:
    """Return, for each package, who asks for it."""
    reasons: dict[str, set[str]] = {name: set() for name in versions}
    for parent, requirements in [("vlm-grpo", roots), *graph.items()]:
        for requirement in requirements:
            if (name := canonicalize_name(requirement.name)) in reasons and "extra" not in str(requirement.marker):
                reasons[name].add(parent)
    return {name: ", ".join(sorted(parents)) for name, parents in reasons.items()}


def write(
    filename: str,
    about: str,
    versions: dict[str, str],
    names: set[str],
    hashes: dict[str, set[str]],
    reasons: dict[str, str],
) -> None:
    """Write one requirements file, sorted, one hash a line."""
    lines = [HEADER.format(about=about)]
    for name in sorted(names):
        lines.append(f"{name}=={versions[name]}")
        lines += [f" \\\n    --hash=sha256:{sha256}" for sha256 in sorted(hashes[name])]
        lines.append(f"\n    # via {reasons[name]}\n" if reasons[name] else "\n")
    (REQUIREMENTS / filename).write_text("".join(lines))
    print(f"requirements/{filename}: {len(names)} packages")


if __name__ == "__main__":
    main()
