"""The manifest of a result folder: written last and atomically, so its presence means the result is complete.

`claim` is its counterpart at the start: it marks an output folder as belonging to one run (what was asked, of what),
so that a rerun may go on in it while another run is refused.
"""

import json
import time
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from vlm_grpo import text_files
from vlm_grpo.errors import UserError
from vlm_grpo.store import atomic, provenance, strict_json
from vlm_grpo.store.encoding import well_formed

MANIFEST = "manifest.json"
IDENTITY = "run.json"


def claim(
    folder: Path, identity: dict[str, Any], *, not_compared: Sequence[str] = (), beside: Sequence[str] = ()
) -> None:
    """Mark `folder` as the place of the run `identity`, or check that it already is.

    `identity` is what makes two runs the same run: kind, resolved settings, fingerprints of inputs (JSON values); the
    keys `not_compared` are only noted. Files whose names match a pattern of `beside` may be there before. Raises
    `UserError` naming the differing keys when the folder belongs to another run, or holds files of unknown origin.
    """
    if is_claimed(folder, identity, not_compared=not_compared, beside=beside):
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError, FileNotFoundError) as error:
        raise UserError(f"cannot make the folder {folder} ({error.strerror}); choose another output folder") from None
    atomic.write_json(folder / IDENTITY, json.loads(json.dumps(identity)))


def is_claimed(
    folder: Path, identity: dict[str, Any], *, not_compared: Sequence[str] = (), beside: Sequence[str] = ()
) -> bool:
    """Whether `folder` already is the place of the run `identity`; `UserError` where it cannot become it.

    A command that has more to vet asks this first and claims the folder once nothing more can be the user's mistake, so
    that the mended command finds the folder free.
    """
    path = folder / IDENTITY
    wanted = json.loads(well_formed(json.dumps(identity, ensure_ascii=False)))
    if path.exists():
        stored = read_json(path)
        compared = (wanted.keys() | stored.keys()) - set(not_compared)
        differing = sorted(k for k in compared if wanted.get(k) != stored.get(k))
        if differing:
            clashes = "; ".join(f"{k}: {_short(stored.get(k))} there, {_short(wanted.get(k))} asked" for k in differing)
            raise UserError(f"{folder} belongs to another run ({clashes}); choose another output folder or remove it")
        return True
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; choose a folder for the output")
    if folder.exists() and not all(_is_harmless(file, beside) for file in folder.iterdir()):
        raise UserError(f"{folder} is not empty and has no {IDENTITY}; choose another output folder or empty it")
    return False


def _is_harmless(file: Path, beside: Sequence[str]) -> bool:
    return atomic.is_temporary(file) or any(fnmatch(file.name, pattern) for pattern in beside)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else text[:117] + "..."


def write(
    folder: Path,
    *,
    kind: str,
    config: dict[str, Any],
    inputs: dict[str, Any],
    counts: dict[str, Any],
    seconds: float,
    seeds: dict[str, int] | None = None,
    **more: Any,
) -> None:
    """Write `folder/manifest.json`: the last act of a command.

    `inputs` maps a name to a fingerprint (hash, revision or path), `counts` are numbers of rows, `seconds` wall time.
    """
    atomic.write_json(
        folder / MANIFEST,
        {
            "kind": kind,
            "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "seconds": round(seconds, 3),
            "git_commit": provenance.git_commit(),
            "config": config,
            "seeds": seeds or {},
            "inputs": inputs,
            "counts": counts,
            **more,
            "packages": provenance.package_versions(),
            "hardware": provenance.hardware(),
            "locks": provenance.lock_hashes(),
        },
    )


def withdraw(folder: Path) -> None:
    """Remove the manifest of `folder`: something there is pending again."""
    if exists(folder):
        (folder / MANIFEST).unlink()
        atomic.fsync_folder(folder)


def exists(folder: Path) -> bool:
    """True when the result in `folder` is complete."""
    return (folder / MANIFEST).exists()


def read(folder: Path, *, kind: str | None = None) -> dict[str, Any]:
    """Return the manifest of `folder`; `UserError` when it is absent (unfinished) or of another kind."""
    path = folder / MANIFEST
    if not path.exists():
        state = "is not finished (no manifest.json)" if folder.exists() else "does not exist"
        raise UserError(f"{folder} {state}; run the command that makes it first")
    stored = read_json(path)
    if kind is not None and stored.get("kind") != kind:
        raise UserError(f"{path} describes a result of kind {stored.get('kind')!r}, not {kind!r}")
    return stored


def read_json(path: Path, *, is_ours: bool = True) -> dict[str, Any]:
    """Parse a JSON object, with one clear line when it is missing or damaged.

    Ours hold no NaN and no key twice; the files of a checkpoint (not `is_ours`) may, as Python's own writer lets them.
    """
    text = text_files.read_text(path)
    try:
        value = strict_json.parse(text) if is_ours else json.loads(text)
    except ValueError as error:
        raise UserError(f"{path}: damaged JSON ({error}); remove it and run the command that makes it") from None
    if not isinstance(value, dict):
        raise UserError(f"{path}: expected a JSON object, found {type(value).__name__}")
    return value
