"""Write a file so that a reader sees the old content or the new, never half of it."""

import os
from pathlib import Path
from typing import Any

from vlm_grpo.store import strict_json
from vlm_grpo.store.encoding import well_formed

TEMPORARY_SUFFIX = ".tmp"


def write_text(path: Path, text: str) -> None:
    """`write_bytes` of `text` in UTF-8, lone surrogates replaced."""
    write_bytes(path, well_formed(text).encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to a temporary sibling, fsync it, rename it over `path`, fsync the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY_SUFFIX}")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    fsync_folder(path.parent)


def write_json(path: Path, value: Any) -> None:
    """`write_text` of `value` as indented JSON; NaN is refused, since JSON has none."""
    write_text(path, strict_json.render(value) + "\n")


def is_temporary(path: Path) -> bool:
    """True for what a killed `write_text` leaves behind."""
    return path.name.startswith(".") and path.suffix == TEMPORARY_SUFFIX


def fsync_folder(folder: Path) -> None:
    """Make a rename inside `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
