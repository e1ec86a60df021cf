"""The Batch API: cheaper, slower, and resumable: submit, poll, fetch.

What was submitted is noted in `batches.jsonl` before and after: a run that is killed in between finds its batch again
on the server by the token that it noted, and never submits the same calls twice. Calls that a batch leaves unanswered
are submitted again in the next round; when a whole round brings nothing, the run stops.
"""

import asyncio
import io
import json
import sys
import time
import uuid
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import openai

from vlm_grpo.judge.keys import redact
from vlm_grpo.judge.ledger import Entry, Ledger, response_record
from vlm_grpo.judge.models import ModelFacts
from vlm_grpo.judge.openai_api import PATHS, Settings, client, request, sorted_error
from vlm_grpo.judge.pricing import Budget, cost, largest_usage
from vlm_grpo.judge.providers import Call, RefusedError, TransientError
from vlm_grpo.judge.runner import Outcome
from vlm_grpo.store import jsonl
from vlm_grpo.store.provenance import text_hash

BATCHES = "batches.jsonl"
MOST_CALLS = 10_000
"""Calls of one batch; OpenAI takes up to 50,000 and 200 MB."""
RETRIES = 8
TOKEN = "vlm_grpo_batch"
ENDED = ("completed", "failed", "expired", "cancelled")


def custom_id(call: Call) -> str:
    """The name of a call inside a batch."""
    return text_hash(json.dumps(call.key))[:40]


@dataclass(slots=True)
class BatchRunner:
    """Has `ledger`'s pending calls answered by batches."""

    settings: Settings
    ledger: Ledger
    given: Namespace
    budget: Budget
    facts: ModelFacts | None

    async def run(self, calls: Sequence[Call]) -> Outcome:
        """Submit, wait and fetch until nothing is pending, the budget is spent, or a round brings nothing."""
        one = client(self.settings).with_options(max_retries=RETRIES)
        outcome = Outcome()
        try:
            with jsonl.Appender(self.given.out / BATCHES) as notes:
                await self._finish_open(one, notes, outcome)
                while left := self.ledger.pending():
                    chosen = self._affordable(left)
                    if not chosen:
                        outcome.out_of_budget = True
                        break
                    before = outcome.answered
                    await self._fetch(one, await self._submit(one, chosen, notes), notes, outcome)
                    if outcome.answered == before:
                        break
        except openai.OpenAIError as error:
            told = sorted_error(error, self.settings)
            if isinstance(told, TransientError):
                raise RefusedError(
                    f"the batch server does not answer ({told.reason}); run the same command again to go on"
                ) from None
            raise told from None
        finally:
            await one.close()
        outcome.unanswered["not answered in its batch"] += len(self.ledger.pending())
        return outcome

    def _affordable(self, calls: Sequence[Call]) -> list[Call]:
        """As many of `calls` as surely fit into the budget, at most one batch."""
        chosen: list[Call] = []
        self.budget.settle(self.budget.reserved, spent=self.ledger.spent)
        for call in calls[:MOST_CALLS]:
            bound = cost(largest_usage(call.texts, self.settings.max_output_tokens), self.facts, batch=True) or 0.0
            if not self.budget.reserve(bound):
                break
            chosen.append(call)
        return chosen

    async def _submit(self, one: openai.AsyncOpenAI, calls: Sequence[Call], notes: jsonl.Appender) -> str:
        path = PATHS[self.settings.api]
        lines = [
            {
                "custom_id": custom_id(call),
                "method": "POST",
                "url": f"/v1{path}",
                "body": request(self.settings, call.system, call.user),
            }
            for call in calls
        ]
        content = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
        token = uuid.uuid4().hex
        notes.append([{"token": token, "state": "submitting", "calls": len(calls)}])
        file = await one.files.create(file=("calls.jsonl", io.BytesIO(content)), purpose="batch")
        endpoint: Any = f"/v1{path}"
        batch = await one.batches.create(
            input_file_id=file.id, endpoint=endpoint, completion_window="24h", metadata={TOKEN: token}
        )
        notes.append([{"token": token, "state": "submitted", "batch": batch.id}])
        print(f"submitted {len(calls)} calls as {batch.id}", file=sys.stderr, flush=True)
        return token

    async def _finish_open(self, one: openai.AsyncOpenAI, notes: jsonl.Appender, outcome: Outcome) -> None:
        """Fetch the batches that an earlier run submitted and did not fetch."""
        states: dict[str, str] = {}
        for record in jsonl.read(self.given.out / BATCHES):
            states[record["token"]] = record["state"]
        for token, state in states.items():
            if state != "fetched" and (state == "submitted" or await self._find(one, token)):
                await self._fetch(one, token, notes, outcome)

    async def _find(self, one: openai.AsyncOpenAI, token: str) -> str | None:
        """The batch with `token`: as noted, else as the server lists it; None when it was never made."""
        for record in jsonl.read(self.given.out / BATCHES):
            if record["token"] == token and "batch" in record:
                return str(record["batch"])
        async for batch in one.batches.list(limit=100):
            if (batch.metadata or {}).get(TOKEN) == token:
                return batch.id
        return None

    async def _fetch(self, one: openai.AsyncOpenAI, token: str, notes: jsonl.Appender, outcome: Outcome) -> None:
        """Wait for the batch with `token` to end and store its answers."""
        name = await self._find(one, token)
        assert name is not None, "a batch that was submitted has a name"
        started = time.monotonic()
        while (batch := await one.batches.retrieve(name)).status not in ENDED:
            counts = batch.request_counts
            told = f" ({counts.completed} of {counts.total})" if counts else ""
            print(f"{name}: {batch.status}{told}", file=sys.stderr, flush=True)
            await asyncio.sleep(self.given.batch_poll)
        if batch.status == "failed":
            notes.append([{"token": token, "state": "fetched"}])
            errors = "; ".join(error.message or "" for error in (batch.errors.data or [])) if batch.errors else ""
            raise RefusedError(redact(f"{name} failed: {errors or 'no reason given'}", self.settings.key))
        if batch.output_file_id:
            content = await one.files.content(batch.output_file_id)
            seconds = time.monotonic() - started
            outcome.answered += await self._store(redact(content.text, self.settings.key), seconds)
        notes.append([{"token": token, "state": "fetched"}])

    async def _store(self, lines: str, seconds: float) -> int:
        """Store the answers of a batch's output file to calls that are still pending; returns how many."""
        calls = {custom_id(call): call for call in self.ledger.pending()}
        entries = []
        for line in lines.splitlines():
            answer = json.loads(line)
            response = answer.get("response") or {}
            call = calls.get(answer["custom_id"])
            if call is None or response.get("status_code") != 200:
                continue
            raw = json.dumps(response["body"], ensure_ascii=False)
            entries.append(Entry(response_record(call, raw, self.settings.api, seconds=seconds, batch=True)))
        await self.ledger.store(entries)
        return len(entries)
