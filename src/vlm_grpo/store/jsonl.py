"""JSONL files: inputs of ours and others', and append-only stores of one fsynced line per record.

A store is how generations and verdicts survive a kill: what was appended stays, a torn last line (a crash in writing)
is dropped and mended, a rerun does only what is missing. Inputs have no such tolerance: every line counts.
"""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from vlm_grpo import text_files
from vlm_grpo.errors import UserError
from vlm_grpo.store import atomic, strict_json
from vlm_grpo.store.encoding import well_formed

_BLOCK = 1 << 16


def read(path: Path, *, is_finished: bool = False) -> list[dict[str, Any]]:
    """Return the records of the store `path` in order; an absent file has none.

    A last line without its newline is a write that a crash cut off: it is left out, but for a whole object in a store
    that `is_finished`, which nobody was writing. Any other line that is not a JSON object is a `UserError` naming it.
    """
    if not path.exists():
        return []
    *complete, tail = text_files.read_bytes(path).split(b"\n")
    if is_finished and tail.rstrip().endswith(b"}"):
        complete.append(tail)
    return [_record(path, number, line) for number, line in enumerate(complete, start=1)]


def read_whole(path: Path) -> tuple[list[dict[str, Any]], list[int]]:
    """The records of the store `path` that can be read, and the numbers of the lines (from 1) that cannot.

    For stores whose other records must not be lost over an odd one: NULs from a power cut, or an edit by hand. A torn
    last line is left out, as in `read`.
    """
    records, damaged = [], []
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1] if path.exists() else [], start=1):
        try:
            records.append(_record(path, number, line))
        except UserError:
            damaged.append(number)
    return records, damaged


def read_input(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, record) of a file that somebody else wrote: every line counts, also the last one.

    Blank lines are passed over. A missing file, another encoding than UTF-8, or a line that is not a JSON object (as
    `strict_json` reads it) is a `UserError`.
    """
    for number, line in enumerate(text_files.read_bytes(path).split(b"\n"), start=1):
        if line.strip():
            yield number, _record(path, number, line)


def read_each(path: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """As `read_input`, for who lists every bad line: in place of a record that is none, the reason."""
    for number, line in enumerate(text_files.read_bytes(path).split(b"\n"), start=1):
        if line.strip(b"\xef\xbb\xbf \t\r"):
            try:
                yield number, _record(path, number, line)
            except UserError as error:
                yield number, str(error).removeprefix(str(UserError(f"{path} line {number}:"))).strip()


def read_list(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON list that somebody else wrote; `UserError` where it is none, empty, or holds others."""
    try:
        value = strict_json.parse(text_files.read_text(path))
    except ValueError as error:
        raise UserError(f"{path}: damaged JSON ({error}); mend the file") from None
    if not isinstance(value, list):
        raise UserError(f"{path}: expected a JSON list, found {type(value).__name__}")
    for number, row in enumerate(value):
        if not isinstance(row, dict):
            raise UserError(f"{path} row {number}: expected a JSON object, found {type(row).__name__}")
    if not value:
        raise UserError(f"{path} is an empty list; nothing could be counted in it")
    return value


def write(path: Path, records: Iterable[dict[str, Any]]) -> None:
    """Replace `path` by `records`, atomically."""
    atomic.write_text(path, _lines(records))


def _record(path: Path, number: int, line: bytes) -> dict[str, Any]:
    text = text_files.decode(line, where=f"{path} line {number}")
    try:
        record = strict_json.parse(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} line {number}: not JSON ({error}); remove or mend that line") from None
    if not isinstance(record, dict):
        raise UserError(f"{path} line {number}: expected a JSON object, found {type(record).__name__}")
    return record


def _lines(records: Iterable[dict[str, Any]]) -> str:
    lines = "".join(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n" for record in records)
    return well_formed(lines)


class Appender:
    """Append records to `path`, each batch written and fsynced before `append` returns.

    Opening cuts off a torn last line, so that the next record starts on a line of its own. One writer at a time.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab+")
        self._file.truncate(_end_of_last_line(self._file))

    def append(self, records: Iterable[dict[str, Any]], *, durable: bool = True) -> None:
        """Write `records`; they are on disk when this returns, or soon after without `durable` (a kill loses none)."""
        self._file.write(_lines(records).encode())
        self._file.flush()
        if durable:
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
