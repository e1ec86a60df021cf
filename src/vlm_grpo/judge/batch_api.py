"""The Batch API over HTTP, one patient request at a time: upload, create, find, look at, download.

Everything that costs nothing is tried again; the creation of a batch never is. Nothing here knows of the run.
"""

import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import openai

from vlm_grpo.verdicts.openai_api import PATHS, Received, Settings, client, exchange
from vlm_grpo.verdicts.patience import patiently

ATTEMPTS = 8
TOKEN = "vlm_grpo_batch"
ENDED = ("completed", "failed", "expired", "cancelled")
_MORE_TIME = 10
"""A file has so many times the deadline of a call."""


@dataclass(frozen=True, slots=True)
class BatchApi:
    """The batches of one server. Methods raise `TransientError`, `RejectedError` or `RefusedError`."""

    settings: Settings
    first_wait: float
    client: openai.AsyncOpenAI

    @classmethod
    def connect(cls, settings: Settings, first_wait: float) -> "BatchApi":
        """Nothing is sent yet."""
        return cls(settings, first_wait, client(settings))

    async def upload(self, content: bytes) -> str:
        """Upload the calls of a batch (JSONL); returns the file's name."""

        def sent() -> Awaitable[Received]:
            file = ("calls.jsonl", io.BytesIO(content))
            return self.client.files.with_raw_response.create(file=file, purpose="batch")

        return str((await self._object(sent, seconds=_MORE_TIME * self.settings.timeout))["id"])

    async def create(self, file: str, token: str) -> str:
        """Create the batch of an uploaded file, once; returns its name."""
        body = {
            "input_file_id": file,
            "endpoint": f"/v1{PATHS[self.settings.api]}",
            "completion_window": "24h",
            "metadata": {TOKEN: token},
        }
        reply = self.client.post("/batches", body=body, cast_to=openai.HttpxBinaryResponseContent)
        return str(self.settings.replies.object(await exchange(self.settings, reply))["id"])

    async def find(self, token: str) -> str | None:
        """The batch that carries `token`; None when the server lists none."""
        seen: set[str] = set()
        after = ""
        while True:
            page = await self._object(self._get(f"/batches?limit=100{after}"))
            batches = [b for b in page.get("data") or [] if isinstance(b, dict) and isinstance(b.get("id"), str)]
            for batch in batches:
                if isinstance(batch.get("metadata"), dict) and batch["metadata"].get(TOKEN) == token:
                    return str(batch["id"])
            fresh = [batch["id"] for batch in batches if batch["id"] not in seen]
            if not fresh or not page.get("has_more"):
                return None
            seen |= set(fresh)
            after = f"&after={fresh[-1]}"

    async def look(self, name: str) -> dict[str, Any]:
        """The batch as the server has it now."""
        return await self._object(self._get(f"/batches/{name}"))

    async def download(self, file: str) -> bytes:
        """The content of a file."""
        seconds = _MORE_TIME * self.settings.timeout
        sent = self._get(f"/files/{file}/content")
        return await patiently(
            lambda: exchange(self.settings, sent(), seconds=seconds), attempts=ATTEMPTS, first_wait=self.first_wait
        )

    async def close(self) -> None:
        """Close the connection."""
        await self.client.close()

    def _get(self, path: str) -> Callable[[], Awaitable[Received]]:
        return lambda: self.client.get(path, cast_to=openai.HttpxBinaryResponseContent)

    async def _object(self, sent: Callable[[], Awaitable[Received]], *, seconds: float | None = None) -> dict[str, Any]:
        async def ask() -> dict[str, Any]:
            return self.settings.replies.object(await exchange(self.settings, sent(), seconds=seconds))

        return await patiently(ask, attempts=ATTEMPTS, first_wait=self.first_wait)
