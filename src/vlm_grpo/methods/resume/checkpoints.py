"""Checkpoints that survive a kill at any moment: how one is published, found again and retired.

A checkpoint is written aside, fsynced, marked with the list of its files, and renamed to `checkpoint-N` only then. It
is complete when that list agrees with what is on disk and names this run. `transformers` would pick the highest
number, torn or not, and delete by modification time.
"""

import hashlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlm_grpo.errors import UserError
from vlm_grpo.store import atomic
from vlm_grpo.store.manifest import IDENTITY, read_json

MARK = "complete.json"
ASIDE = "saving"
_NAME = re.compile(r"checkpoint-(\d+)")


@dataclass(frozen=True)
class Resume:
    """`newest` complete checkpoint (None: start afresh) and the `skipped` newer ones with the reason.

    `finished` says that `newest` is the state after the run's last step.
    """

    newest: Path | None
    skipped: tuple[tuple[Path, str], ...]
    finished: bool = False

    @property
    def step(self) -> int:
        """Optimiser step of `newest`; 0 without one."""
        return 0 if self.newest is None else step_of(self.newest)


def step_of(checkpoint: Path) -> int:
    """The optimiser step in a checkpoint's name."""
    match = _NAME.fullmatch(checkpoint.name)
    assert match, f"{checkpoint} is not named checkpoint-N"
    return int(match[1])


def publish(written: Path, run: Path, *, finished: bool) -> Path:
    """Make the files in `written` durable, mark them complete and rename the folder to its place below `run`."""
    for file in _files(written):
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
    atomic.write_json(
        written / MARK,
        {"step": step_of(written), "run": _identity(run), "finished": finished, "files": _sizes(written)},
    )
    place = run / written.name
    if place.exists():
        _remove(place)
    written.replace(place)
    atomic.fsync_folder(run)
    return place


def clear_aside(run: Path) -> None:
    """Remove what a save that was cut off left aside."""
    if (run / ASIDE).exists():
        shutil.rmtree(run / ASIDE)


def retire(run: Path, *, keep: int | None) -> None:
    """Remove all but the newest `keep` complete checkpoints (at least one), and incomplete ones older than those."""
    if keep is None:
        return
    kept = 0
    for path in _newest_first(run):
        if kept >= max(keep, 1):
            _remove(path)
        elif _flaw(path) is None:
            kept += 1


def find(run: Path) -> Resume:
    """The newest complete checkpoint below `run`."""
    skipped: list[tuple[Path, str]] = []
    for path in _newest_first(run):
        flaw = _flaw(path)
        if flaw is None:
            return Resume(path, tuple(skipped), finished=read_json(path / MARK)["finished"])
        skipped.append((path, flaw))
    return Resume(None, tuple(skipped))


def _newest_first(run: Path) -> list[Path]:
    folders = (path for path in run.glob("checkpoint-*") if _NAME.fullmatch(path.name) and path.is_dir())
    return sorted(folders, key=step_of, reverse=True)


def _flaw(checkpoint: Path) -> str | None:
    if not (checkpoint / MARK).exists():
        return f"has no {MARK}: saving or removing it was cut off"
    try:
        mark: dict[str, Any] = read_json(checkpoint / MARK)
    except UserError:
        return f"{MARK} is damaged"
    missing = {"step", "run", "finished", "files"} - mark.keys()
    if missing:
        return f"{MARK} lacks {', '.join(sorted(missing))}: another version wrote it"
    if mark["run"] != _identity(checkpoint.parent):
        return "belongs to another run"
    if mark["step"] != step_of(checkpoint):
        return f"holds step {mark['step']}: it was renamed"
    present = _sizes(checkpoint)
    for name, size in mark["files"].items():
        if name not in present:
            return f"{name} is missing"
        if present[name] != size:
            return f"{name} has {present[name]} bytes instead of {size}"
    return None


def _identity(run: Path) -> str:
    """Digest of what was asked of `run`; its folder may be moved, its checkpoints may not be mixed with another's."""
    return hashlib.sha256((run / IDENTITY).read_bytes()).hexdigest() if (run / IDENTITY).exists() else ""


def _remove(checkpoint: Path) -> None:
    (checkpoint / MARK).unlink(missing_ok=True)
    shutil.rmtree(checkpoint)


def _files(checkpoint: Path) -> list[Path]:
    return [f for f in sorted(checkpoint.rglob("*")) if f.is_file() and f.name != MARK]


def _sizes(checkpoint: Path) -> dict[str, int]:
    return {str(f.relative_to(checkpoint)): f.stat().st_size for f in _files(checkpoint)}
