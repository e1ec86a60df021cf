"""One writer at a time in a folder: a lock file there, which the kernel releases when its process ends or is killed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from vlm_grpo.errors import UserError

FILE = ".lock"


@contextmanager
def only_writer(folder: Path, *, doing: str) -> Iterator[None]:
    """Hold `folder`, which must be there; `UserError`, with what the other process is `doing`, when one holds it."""
    lock = FileLock(folder / FILE)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(f"{folder}: another process is {doing} there; wait for it or choose another folder") from None
    try:
        yield
    finally:
        lock.release()
