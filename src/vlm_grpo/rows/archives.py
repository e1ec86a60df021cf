"""Fetch one large file and unpack it: resumed where it stopped, checked by size and MD5, unpacked once.

What has arrived lies in `NAME.part` and gets its name when size and checksum are right. A file of that name with
another size, as a download that was cut off leaves it, goes on as a part; one of the right size counts as checked. A
server that ignores the range that is asked for starts again from the beginning.
"""

import hashlib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from vlm_grpo.errors import UserError
from vlm_grpo.progress import progress
from vlm_grpo.rows.download import Failed, Passing, Pause, Policy, check_status, told_apart

PARTIAL, RANGE_NOT_SATISFIABLE = 206, 416


@dataclass(frozen=True, slots=True)
class Archive:
    """A zip file at `address`: its size in bytes and its MD5."""

    address: str
    size: int
    md5: str

    @property
    def name(self) -> str:
        """The file's name."""
        return self.address.rpartition("/")[2]


def fetch(archive: Archive, folder: Path, policy: Policy | None = None) -> Path:
    """Have the whole `archive` in `folder`; `UserError` where it cannot be had or is another file.

    `policy.timeout` is the longest silence, not the whole time: an archive takes what it takes.
    """
    policy = policy or Policy()
    path = folder / archive.name
    part = path.with_name(f"{path.name}.part")
    folder.mkdir(parents=True, exist_ok=True)
    if path.exists():
        if _size(path) == archive.size:
            return path
        path.replace(part)
    attempts = Retrying(
        retry=retry_if_exception_type(Passing),
        stop=stop_after_attempt(policy.retries + 1),
        wait=Pause(policy.pause),
        reraise=True,
    )
    try:
        with httpx.Client(timeout=policy.timeout, follow_redirects=True) as client:
            attempts(_fetch, client, archive, part)
    except Failed as error:
        raise UserError(
            f"{archive.address} cannot be had ({error}); run the same command again to go on behind the {_size(part)} "
            "bytes that are here"
        ) from None
    _check(part, archive)
    part.replace(path)
    return path


def _fetch(client: httpx.Client, archive: Archive, part: Path) -> None:
    """Append what is missing to `part`; `Passing` where the connection ended early."""
    start = _size(part)
    if start >= archive.size:
        return
    headers = {"Range": f"bytes={start}-", "Accept-Encoding": "identity"} if start else {"Accept-Encoding": "identity"}
    with told_apart(), client.stream("GET", archive.address, headers=headers) as response:
        if response.status_code == RANGE_NOT_SATISFIABLE:
            part.unlink()
            raise Passing("the server has no such part; starting again")
        check_status(response)
        with part.open("ab" if response.status_code == PARTIAL else "wb") as file:
            for chunk in response.iter_raw():
                file.write(chunk)
    if _size(part) < archive.size:
        raise Passing(f"ended after {_size(part)} of {archive.size} bytes")


def _check(path: Path, archive: Archive) -> None:
    """Remove `path` and raise `UserError` where it is not the archive."""
    with path.open("rb") as file:
        md5 = hashlib.file_digest(file, "md5").hexdigest()
    if path.stat().st_size != archive.size or md5 != archive.md5:
        size = path.stat().st_size
        path.unlink()
        raise UserError(
            f"{archive.address}: {size} bytes with MD5 {md5} arrived, expected {archive.size} with {archive.md5}; they "
            "were removed: run the same command again, or fetch the archive by hand"
        )


def unpack(path: Path, folder: Path, *, wanted: Callable[[str], bool] = lambda name: True) -> int:
    """Unpack the `wanted` files of the zip file `path` below `folder`; how many were not there yet.

    A file that is there in its full size is kept. Each is written under another name first, and checked by its CRC.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            files = [entry for entry in archive.infolist() if not entry.is_dir() and wanted(entry.filename)]
            missing = [entry for entry in files if not _is_there(folder / _safe(entry.filename, path), entry.file_size)]
            for entry in progress(missing, total=len(missing), label=f"unpacking {path.name}"):
                place = folder / entry.filename
                place.parent.mkdir(parents=True, exist_ok=True)
                temporary = place.with_name(f".{place.name}.part")
                temporary.write_bytes(archive.read(entry))
                temporary.replace(place)
    except zipfile.BadZipFile as error:
        raise UserError(f"{path} is damaged ({error}); remove it and run the same command again") from None
    return len(missing)


def _safe(name: str, path: Path) -> str:
    if name.startswith("/") or ".." in name.split("/"):
        raise UserError(f"{path} holds {name!r}, which lies outside of it; it is not the archive it should be")
    return name


def _size(path: Path) -> int:
    """Bytes; 0 where there is no such file."""
    return path.stat().st_size if path.is_file() else 0


def _is_there(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size
