"""Append-only JSONL: one fsynced line per record; a torn last line (a crash while writing) is dropped and mended.

This is how generations and verdicts survive a kill: what was appended stays, a rerun does only what is missing.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from vlm_grpo.errors import UserError


def read(path: Path) -> list[dict[str, Any]]:
    """Return the records of `path` in order; an absent file has none.

    A last line without its newline is a write that a crash cut off: it is left out. Any other line that is not a JSON
    object is a `UserError` naming the line.
    """
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")
    complete = lines[:-1]
    records = []
    for number, line in enumerate(complete, start=1):
        try:
            record = json.loads(line)
        except ValueError as error:
            raise UserError(f"{path} line {number}: not JSON ({error}); remove or mend that line") from None
        if not isinstance(record, dict):
            raise UserError(f"{path} line {number}: expected a JSON object, found {type(record).__name__}")
        records.append(record)
    return records


class Appender:
    """Append records to `path`, each batch written whole and fsynced before `append` returns.

    Opening cuts off a torn last line, so that the next record starts on a line of its own. One writer at a time.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")
        self._cut_torn_line(path)

    def _cut_torn_line(self, path: Path) -> None:
        content = path.read_bytes()
        if content and not content.endswith(b"\n"):
            self._file.truncate(content.rfind(b"\n") + 1)

    def append(self, records: Iterable[dict[str, Any]]) -> None:
        lines = "".join(json.dumps(r, ensure_ascii=False, allow_nan=False) + "\n" for r in records)
        self._file.write(lines.encode())
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> "Appender":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
