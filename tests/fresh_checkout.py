"""A copy of what sets up an environment, whose lists hold one tiny wheel, served by an index of its own."""

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REPORT = "import json, os, sys, vlm_grpo; print(json.dumps([sys.prefix, vlm_grpo.__file__, dict(os.environ)]))"
SOURCE_AND_REPORT = f"set -euo pipefail; source scripts/env.sh; python -c '{REPORT}'"


def wheel(folder: Path, name: str, version: str) -> str:
    """Write a wheel with one empty module; return its sha256."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    metadata = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": "",
        f"{metadata}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{metadata}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{metadata}/RECORD"] = "".join(f"{filename},,\n" for filename in [*files, f"{metadata}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for filename, text in files.items():
            archive.writestr(filename, text)
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Checkout:
    """A copy of what the scripts need, with lists of one wheel, an index that serves it, and its own variables."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "checkout"
        shutil.copytree(ROOT / "scripts", self.root / "scripts")
        shutil.copy(ROOT / "pixi.toml", self.root)
        (self.root / "src/vlm_grpo").mkdir(parents=True)
        (self.root / "src/vlm_grpo/__init__.py").touch()
        (self.root / "requirements").mkdir()
        (folder / "local").mkdir()
        self.lock("tiny", "1.0", self.publish("tiny", "1.0"), files=("build", "cpu", "cuda"))
        removed = ("VLM_GRPO_", "PIP_", "PIXI_", "CONDA_", "VIRTUAL_ENV", "PYTHONPATH", "DATA_PATH", "OUT_PATH")
        self.variables = {k: v for k, v in os.environ.items() if not k.startswith(removed)} | {
            "PIP_INDEX_URL": (folder / "index").as_uri(),
            "PIP_FIND_LINKS": str(folder / "local"),
            "PIP_CONFIG_FILE": os.devnull,
            "VLM_GRPO_BASE_PYTHON": sys.executable,
            "VLM_GRPO_TORCH": "cpu",
            "VLM_GRPO_VENV": str(self.root / ".venv"),
        }

    def publish(self, name: str, version: str) -> str:
        """Add a wheel to the index (PEP 503: its links carry hashes); return its sha256."""
        page = self.folder / "index" / name / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        sha256 = wheel(page.parent, name, version)
        with page.open("a") as links:
            links.write(f'<a href="{name}-{version}-py3-none-any.whl#sha256={sha256}">{name}</a>\n')
        return sha256

    def lock(self, name: str, version: str, sha256: str, *, files: tuple[str, ...]) -> None:
        for filename in files:
            text = f"{name}=={version} \\\n    --hash=sha256:{sha256}\n    # via test\n"
            (self.root / f"requirements/{filename}.txt").write_text(text)

    def copy(self, folder: Path) -> "Checkout":
        """Copy everything, as if it had been set up there."""
        shutil.copytree(self.folder, folder, symlinks=True)
        copy = object.__new__(Checkout)
        copy.folder, copy.root = folder, folder / "checkout"
        copy.variables = {k: v.replace(str(self.folder), str(folder)) for k, v in self.variables.items()}
        stamp = copy.root / ".venv/.vlm-grpo-stamp"
        stamp.write_text(stamp.read_text().replace(str(self.root), str(copy.root)))
        return copy

    def start(self, command: str = SOURCE_AND_REPORT, **variables: str | None) -> subprocess.Popen[str]:
        environment = {k: v for k, v in (self.variables | variables).items() if v is not None}
        return subprocess.Popen(
            ["bash", "-c", command],
            cwd=self.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, command: str = SOURCE_AND_REPORT, **variables: str | None) -> tuple[int, str, str]:
        process = self.start(command, **variables)
        output, errors = process.communicate()
        return process.returncode, output, errors
