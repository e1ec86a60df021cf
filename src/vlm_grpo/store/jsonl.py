"""JSONL files: inputs of ours and others', and append-only stores of one fsynced line per record.

A store is how generations and verdicts survive a kill: what was appended stays, a torn last line (a crash in writing)
is dropped and mended, a rerun does only what is missing.
"""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from vlm_grpo.errors import UserError
from vlm_grpo.store import atomic

_BLOCK = 1 << 16


def read(path: Path) -> list[dict[str, Any]]:
    """Return the records of the store `path` in order; an absent file has none.

    A last line without its newline is a write that a crash cut off: it is left out. Any other line that is not a JSON
    object is a `UserError` naming the line.
    """
    if not path.exists():
        return []
    complete = path.read_bytes().split(b"\n")[:-1]
    return [_record(path, number, line) for number, line in enumerate(complete, start=1)]


def read_input(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, record) of a file that somebody else wrote: every line counts, also the last one.

    Blank lines are passed over. A missing file, or a line that is not a JSON object, is a `UserError`.
    """
    if not path.is_file():
        raise UserError(f"{path} is missing; give a JSONL file")
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, _record(path, number, line)


def write(path: Path, records: Iterable[dict[str, Any]]) -> None:
    """Replace `path` by `records`, atomically."""
    atomic.write_text(path, _lines(records))


def _record(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise UserError(f"{path} line {number}: not JSON ({error}); remove or mend that line") from None
    if not isinstance(record, dict):
        raise UserError(f"{path} line {number}: expected a JSON object, found {type(record).__name__}")
    return record


def _lines(records: Iterable[dict[str, Any]]) -> str:
    return "".join(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n" for record in records)


class Appender:
    """Append records to `path`, each batch written and fsynced before `append` returns.

    Opening cuts off a torn last line, so that the next record starts on a line of its own. One writer at a time.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab+")
        self._file.truncate(_end_of_last_line(self._file))

    def append(self, records: Iterable[dict[str, Any]]) -> None:
        """Write `records`; they are on disk when this returns."""
        self._file.write(_lines(records).encode())
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; what was appended stays."""
        self._file.close()

    def __enter__(self) -> "Appender":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _end_of_last_line(file: BinaryIO) -> int:
    """Offset behind the last newline of `file`, read from its end."""
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        start = max(0, end - _BLOCK)
        file.seek(start)
        newline = file.read(end - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0
