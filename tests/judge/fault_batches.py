"""The Batch API of the fault server: files, batches and what goes wrong with them.

`control` takes `lost_creations` (so many batches are made, but the connection breaks instead of the answer),
`unmade_creations` (it breaks before), `hidden` (so many listings leave out the newest batch), `failures` (so many rows
expire), `busy` (the probability that a free request meets HTTP 503), `blemish` (of output files, see `BLEMISHES`),
`ends` (the status in which batches end; `never`: they do not), `errors` (of a batch that failed), `output` (what is
sent in place of the output file, so many times).
"""

import json
import random
from collections.abc import Callable
from typing import Any

from fault_bodies import Drop

Rows = list[bytes]
BLEMISHES: dict[str, Callable[[Rows], Rows]] = {
    "blank line": lambda rows: [*rows[: len(rows) // 2], b"", b"  ", *rows[len(rows) // 2 :]],
    "torn line": lambda rows: [*rows[:-1], rows[-1][:50]],
    "torn first line": lambda rows: [rows[0][:-30], *rows[1:]],
    "repeated line": lambda rows: [*rows, rows[0]],
    "repeated as an error": lambda rows: [rows[0].replace(b'"status_code": 200', b'"status_code": 500'), *rows],
    "NULs": lambda rows: [b"\0" * 64, *rows],
    "no object": lambda rows: [b"null", b'"custom_id"', b"[1]", *rows],
    "foreign line": lambda rows: [b'{"custom_id": "another", "response": {"status_code": 200, "body": {}}}', *rows],
    "carriage returns": lambda rows: [row + b"\r" for row in rows],
    "byte order mark": lambda rows: [b"\xef\xbb\xbf" + rows[0], *rows[1:]],
    "line separators": lambda rows: [
        row.replace(b"as the test", "as\u2028the\u2029\u0085test".encode()) for row in rows
    ],
    "shuffled": lambda rows: random.Random(1).sample(rows, len(rows)),
    "half of the lines": lambda rows: rows[: -(-len(rows) // 2)] if len(rows) > 3 else rows,
}


class BatchServer:
    """`answer` makes the row of one call."""

    def __init__(self, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self._answer = answer
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}

    def control(self, behaviour: dict[str, Any]) -> None:
        self.lost_creations: int = behaviour.get("lost_creations", 0)
        self.unmade_creations: int = behaviour.get("unmade_creations", 0)
        self.hidden: int = behaviour.get("hidden", 0)
        self.failures: int = behaviour.get("failures", 0)
        self.busy: float = behaviour.get("busy", 0.0)
        self.blemish: str | None = behaviour.get("blemish")
        self.ends: str = behaviour.get("ends", "completed")
        self.errors: list[dict[str, Any]] = behaviour.get("errors", [])
        self.output: list[str] = behaviour.get("output", [])
        self.random = random.Random(behaviour.get("seed", 0))

    async def reply(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        parts = path.split("/")[2:]
        if method == "POST" and parts == ["batches"]:
            return self._create(json.loads(body))
        if self.random.random() < self.busy:
            return 503, {"error": {"message": "busy", "code": None}}
        if method == "POST" and parts == ["files"]:
            name = f"file-{len(self.files)}"
            self.files[name] = body[body.index(b"\r\n\r\n{") + 4 : body.rindex(b"\r\n--")]
            return 200, {"id": name, "object": "file", "purpose": "batch"}
        if parts[0] == "files":
            return (200, self.output.pop(0).encode()) if self.output else (200, self.files[parts[1]])
        if parts == ["batches"]:
            listed = list(self.batches.values())
            self.hidden -= 1
            return 200, {"object": "list", "data": listed[: -1 if self.hidden >= 0 else None], "has_more": False}
        return self._look(parts[1])

    def _create(self, asked: dict[str, Any]) -> tuple[int, Any]:
        self.unmade_creations -= 1
        if self.unmade_creations >= 0:
            raise Drop
        name = f"batch-{len(self.batches)}"
        kept = {key: asked[key] for key in ("endpoint", "input_file_id", "completion_window", "metadata")}
        self.batches[name] = {
            "id": name,
            "object": "batch",
            "created_at": 1,
            "status": "in_progress",
            "looks": 0,
            **kept,
        }
        self.lost_creations -= 1
        if self.lost_creations >= 0:
            raise Drop
        return 200, self.batches[name]

    def _look(self, name: str) -> tuple[int, Any]:
        if name not in self.batches:
            return 404, {"error": {"message": "No batch found", "code": None}}
        batch = self.batches[name]
        batch["looks"] += 1
        if batch["looks"] == 2 and self.ends != "never":
            self._end(batch)
        return 200, batch

    def _end(self, batch: dict[str, Any]) -> None:
        batch["status"] = self.ends
        if self.ends == "failed":
            batch["errors"] = {"object": "list", "data": self.errors}
            self.ends = "completed"
            return
        rows = [self._row(json.loads(line)) for line in self.files[batch["input_file_id"]].split(b"\n") if line]
        good = [row for row in rows if row["error"] is None and row["response"]["status_code"] == 200]
        lines = [json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") for row in good]
        if self.blemish and lines:
            lines = BLEMISHES[self.blemish](lines)
        failed = [json.dumps(row).encode() for row in rows if row not in good]
        for key, content in (("output_file_id", lines), ("error_file_id", failed)):
            if content:
                batch[key] = f"{batch['id']}-{key}"
                self.files[batch[key]] = b"".join(line + b"\n" for line in content)

    def _row(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.failures -= 1
        if self.failures >= 0:
            error = {"code": "batch_expired", "message": "This request could not be executed in time."}
            return {"custom_id": asked["custom_id"], "response": None, "error": error}
        return {"custom_id": asked["custom_id"], "response": self._answer(asked), "error": None}
