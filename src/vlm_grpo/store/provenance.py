"""Where a result comes from: git commit, package versions, hardware, lock hash, file fingerprints."""

import hashlib
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "numpy", "pandas", "scipy", "openai")
REPOSITORY = Path(__file__).resolve().parents[3]


def git_commit() -> str | None:
    """Commit of the checkout the package runs from, with `-dirty` when tracked files differ; None outside git."""
    if not (REPOSITORY / ".git").exists() or shutil.which("git") is None:
        return None
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return None
    return f"{commit}-dirty" if _git("status", "--porcelain", "--untracked-files=no") else commit


def _git(*arguments: str) -> str | None:
    done = subprocess.run(["git", "-C", str(REPOSITORY), *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def package_versions() -> dict[str, str]:
    """Versions of the packages that shape a result, as installed; absent ones are left out."""
    named = {name: next(iter(importlib.metadata.distributions(name=name)), None) for name in PACKAGES}
    return {name: distribution.version for name, distribution in named.items() if distribution is not None}


def hardware() -> dict[str, Any]:
    """CPU count, and the GPUs if torch is already loaded and sees any (torch is not imported for this)."""
    machine: dict[str, Any] = {"machine": platform.machine(), "cpus": os.cpu_count(), "gpus": []}
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        machine["gpus"] = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return machine


def lock_hashes() -> dict[str, str]:
    """SHA-256 of the lock files of the checkout that are present."""
    locks = ("pixi.lock", "requirements/cpu.txt", "requirements/cuda.txt")
    return {name: file_hash(REPOSITORY / name) for name in locks if (REPOSITORY / name).exists()}


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def text_hash(text: str) -> str:
    """SHA-256 of a text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def folder_hash(folder: Path, patterns: tuple[str, ...] = ("*",)) -> str:
    """SHA-256 over the names and contents of the files of `folder` (not of its sub-folders) that match a pattern."""
    digest = hashlib.sha256()
    files = sorted({f for pattern in patterns for f in folder.glob(pattern) if f.is_file()})
    for file in files:
        digest.update(f"{file.name}\0{file_hash(file)}\n".encode())
    return digest.hexdigest()
