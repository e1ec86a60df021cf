"""Which checkpoint to resume from: the newest one that is complete.

A checkpoint is complete when the list of its files with their sizes, written last and atomically, agrees with what is
on disk. `transformers` would pick the highest number, torn or not.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from vlm_grpo.results import atomic
from vlm_grpo.results.manifest import read_json

MARK = "complete.json"
_NAME = re.compile(r"checkpoint-(\d+)")


@dataclass(frozen=True)
class Resume:
    """`newest` complete checkpoint (None: start afresh) and the `skipped` newer ones with the reason."""

    newest: Path | None
    skipped: tuple[tuple[Path, str], ...]


def mark_complete(checkpoint: Path) -> None:
    """Write the completeness mark; the checkpoint's last file."""
    atomic.write_json(checkpoint / MARK, {"files": _sizes(checkpoint)})


def find(run: Path) -> Resume:
    """The newest complete checkpoint below `run`."""
    found = sorted(
        ((int(match[1]), path) for path in run.glob("checkpoint-*") if (match := _NAME.fullmatch(path.name))),
        reverse=True,
    )
    skipped: list[tuple[Path, str]] = []
    for _, path in found:
        flaw = _flaw(path)
        if flaw is None:
            return Resume(path, tuple(skipped))
        skipped.append((path, flaw))
    return Resume(None, tuple(skipped))


def _flaw(checkpoint: Path) -> str | None:
    if not (checkpoint / MARK).exists():
        return f"has no {MARK}: saving was cut off"
    wanted = read_json(checkpoint / MARK)["files"]
    present = _sizes(checkpoint)
    for name, size in wanted.items():
        if name not in present:
            return f"{name} is missing"
        if present[name] != size:
            return f"{name} has {present[name]} bytes instead of {size}"
    return None


def _sizes(checkpoint: Path) -> dict[str, int]:
    files = (f for f in sorted(checkpoint.rglob("*")) if f.is_file() and f.name != MARK)
    return {str(f.relative_to(checkpoint)): f.stat().st_size for f in files}
