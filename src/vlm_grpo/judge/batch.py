"""Judging by the Batch API: cheaper, slower, and resumable: submit, poll, fetch.

A run that is killed in between finds its batch again and never submits the same calls twice. Calls that a batch leaves
unanswered are submitted again in the next round; one that two batches return no line for is missing, and when a whole
round brings nothing, the run stops.
"""

import asyncio
import json
import sys
import time
import uuid
from argparse import Namespace
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from vlm_grpo.judge import batch_output
from vlm_grpo.judge.batch_api import ATTEMPTS, ENDED, BatchApi
from vlm_grpo.judge.batch_notes import BatchNotes, State
from vlm_grpo.store.provenance import text_hash
from vlm_grpo.verdicts import patience
from vlm_grpo.verdicts.classify import NO_PLACE
from vlm_grpo.verdicts.keys import redact
from vlm_grpo.verdicts.ledger import Entry, Ledger, response_record
from vlm_grpo.verdicts.models import ModelFacts
from vlm_grpo.verdicts.openai_api import PATHS, Settings, request
from vlm_grpo.verdicts.pricing import largest_cost
from vlm_grpo.verdicts.providers import Call, Key, RefusedError, RejectedError, TransientError
from vlm_grpo.verdicts.runner import Tally
from vlm_grpo.verdicts.spending import Spending, StoredReply

MOST_CALLS = 10_000
"""Calls of one batch; OpenAI takes up to 50,000 and 200 MB."""
LOOKS = 3
"""So often the server is asked for a batch that it may have made, before it counts as never made."""
MOST_BATCHES = 2
"""After so many batches without a line for it, a call is missing."""


def custom_id(key: Key) -> str:
    """The name of a call inside a batch."""
    return text_hash(json.dumps(key))[:40]


@dataclass(slots=True)
class BatchRunner:
    """Has `ledger`'s pending calls answered by batches."""

    settings: Settings
    ledger: Ledger
    spending: Spending
    given: Namespace
    facts: ModelFacts | None
    api: BatchApi = field(init=False)
    notes: BatchNotes = field(init=False)
    outcome: Tally = field(default_factory=Tally)
    doubtful: Counter[Key] = field(default_factory=Counter)
    """How often a call's line made no sense."""

    def __post_init__(self) -> None:
        self.api = BatchApi.connect(self.settings, self.given.retry_wait)
        self.notes = BatchNotes(self.given.out)

    async def run(self) -> Tally:
        """Submit, wait and fetch until nothing is pending, the budget is spent, or a round brings nothing."""
        try:
            await self._finish_open()
            while left := self.ledger.pending():
                chosen = self._affordable(left)
                if not chosen:
                    self.outcome.out_of_budget = True
                    break
                if not await self._fetch(await self._submit(chosen)):
                    break
        except TransientError as error:
            raise RefusedError(
                f"the batch server does not answer: {error}; run the same command again to go on"
            ) from None
        except RejectedError as error:
            raise RefusedError(f"the batch server refuses the batch ({error})") from None
        finally:
            await self.api.close()
        self.outcome.unanswered["not answered in its batch"] += len(self.ledger.pending())
        return self.outcome

    def _affordable(self, calls: Sequence[Call]) -> list[tuple[Call, float]]:
        """As many of `calls` as surely fit into the budget, at most one batch, with their bounds."""
        chosen: list[tuple[Call, float]] = []
        for call in calls[:MOST_CALLS]:
            bound = self._bound(call)
            if not self.spending.reserve(bound):
                break
            chosen.append((call, bound))
        return chosen

    async def _submit(self, calls: Sequence[tuple[Call, float]]) -> str:
        """Submit `calls` as one batch; returns its token."""
        url = f"/v1{PATHS[self.settings.api]}"
        lines = [
            {"custom_id": custom_id(call.key), "method": "POST", "url": url}
            | {"body": request(self.settings, call.system, call.user)}
            for call, _ in calls
        ]
        try:
            file = await self.api.upload("".join(json.dumps(line) + "\n" for line in lines).encode())
        except RefusedError as error:
            hint = "; a server without a Batch API needs a run without --batch" if error.status in NO_PLACE else ""
            raise RefusedError(f"{error}{hint}") from None
        token = uuid.uuid4().hex
        self.notes.note(token, State.SUBMITTING, calls=len(calls))
        self.spending.ask(calls, batch=token)
        name = await self._create(file, token)
        self.notes.note(token, State.SUBMITTED, batch=name)
        print(f"submitted {len(calls)} calls as {name}", file=sys.stderr, flush=True)
        return token

    async def _create(self, file: str, token: str) -> str:
        """Create the batch; where the answer is lost, look for it, and never create it again unseen."""
        for attempt in count(1):
            try:
                return await self.api.create(file, token)
            except (RejectedError, RefusedError):
                self._never_made(token)
                raise
            except TransientError as error:
                name = await self._find(token)
                if name is not None:
                    return name
                if error.paid or error.doubtful or attempt == ATTEMPTS:
                    raise
                await asyncio.sleep(patience.wait(attempt, error, first=self.given.retry_wait))
        raise AssertionError("unreachable")

    async def _find(self, token: str) -> str | None:
        """The batch that carries `token`; a server may take a moment to list it."""
        for look in range(LOOKS):
            await asyncio.sleep(self.given.batch_poll if look else 0)
            name = await self.api.find(token)
            if name is not None:
                return name
        return None

    def _never_made(self, token: str) -> None:
        """The batch does not exist or did not start: nothing is charged for it."""
        self.spending.charged_nothing(list(self.spending.in_batch(token).values()), "the batch was never made")
        self.notes.note(token, State.NEVER_MADE)

    async def _finish_open(self) -> None:
        """Fetch the batches that an earlier run submitted and did not fetch."""
        for token, state in self.notes.under_way().items():
            if state is State.SUBMITTING:
                name = await self._find(token)
                if name is None:
                    self._never_made(token)
                    continue
                self.notes.note(token, State.SUBMITTED, batch=name)
            await self._fetch(token)

    async def _fetch(self, token: str) -> int:
        """Wait for the batch with `token` to end and store what it brings; returns for how many calls."""
        name = self.notes.name(token)
        assert name is not None, "a batch that was submitted has a name"
        started = time.monotonic()
        try:
            batch = await self._ended(name)
            files = [batch[kind] for kind in ("output_file_id", "error_file_id") if isinstance(batch.get(kind), str)]
            content = b"\n".join([await self.api.download(file) for file in files])
        except RefusedError as error:
            gone = f"; remove its lines from {self.notes.path} to submit its calls again" if error.status == 404 else ""
            raise RefusedError(f"{name}: {error}{gone}") from None
        if not batch_output.is_output(content):
            raise TransientError("what came is not the file of a batch")
        if batch["status"] == "failed":
            return await self._failed(token, name, batch)
        lines, damaged = batch_output.read(content, self.settings.replies)
        if damaged:
            print(f"note: {damaged} damaged lines in the output of {name} are left out", file=sys.stderr)
        brought = await self._settle(token, lines, time.monotonic() - started)
        if batch["status"] == "cancelled" and self.ledger.pending():
            raise RefusedError(f"{name} was cancelled; run the same command again to submit what it left")
        return brought

    async def _ended(self, name: str) -> dict[str, Any]:
        while (batch := await self.api.look(name)).get("status") not in ENDED:
            counts = batch.get("request_counts")
            done = f" ({counts.get('completed')} of {counts.get('total')})" if isinstance(counts, dict) else ""
            print(redact(f"{name}: {batch.get('status')}{done}", self.settings.key), file=sys.stderr, flush=True)
            await asyncio.sleep(self.given.batch_poll)
        return batch

    async def _failed(self, token: str, name: str, batch: dict[str, Any]) -> int:
        """A batch that the server did not start: the lines that it complains of are missing, unless it means all."""
        keys = list(self.spending.in_batch(token))
        listed = batch["errors"].get("data") if isinstance(batch.get("errors"), dict) else None
        errors = [error for error in listed or [] if isinstance(error, dict)]
        means = [self.settings.replies.error(json.dumps({"error": error}).encode(), status=400) for error in errors]
        self._never_made(token)
        lines = [error["line"] for error in errors if error.get("line") in range(1, len(keys) + 1)]
        refused = next((error for error in means if isinstance(error, RefusedError)), None)
        if refused or len(lines) < max(1, len(errors)) or len(set(lines)) == len(keys):
            raise refused or RefusedError(f"{name} failed: {'; '.join(map(str, means)) or 'no reason given'}")
        return await self._give_up({keys[line - 1]: f"rejected: {why}" for line, why in zip(lines, means, strict=True)})

    async def _settle(self, token: str, lines: Sequence[batch_output.Line], seconds: float) -> int:
        """Store what a batch says of its calls; returns of how many it says something for good."""
        numbers = self.spending.in_batch(token)
        keys = {custom_id(key): key for key in (*(call.key for call in self.ledger.pending()), *numbers)}
        known = {keys[line.custom_id]: line for line in lines if line.custom_id in keys}
        answers = []
        for key, line in known.items():
            if line.raw is not None and key not in self.ledger.done:
                call, number = self.ledger.call_at(key), numbers.get(key)
                record = response_record(call, line.raw, self.settings.api, seconds=seconds, asked=number, batch=True)
                answers.append((Entry(record), StoredReply(number, None, self._bound(call))))
        verdicts = await self.ledger.store([entry for entry, _ in answers])
        for (_, reply), verdict in zip(answers, verdicts, strict=True):
            self.spending.answered(replace(reply, dollars=verdict["cost"]))
        errors = {key: line.error for key, line in known.items() if line.error is not None}
        free = [numbers[key] for key, error in errors.items() if key in numbers and not error.paid]
        self.spending.charged_nothing(free, "not answered in its batch")
        self.notes.note(token, State.FETCHED)
        self.outcome.answered += len(answers)
        return len(answers) + await self._give_up(
            self._hopeless(errors, () if answers else numbers.keys() - known.keys())
        )

    def _hopeless(self, errors: Mapping[Key, batch_output.LineError], without: Iterable[Key]) -> dict[Key, str]:
        """The calls that no further batch will answer, and why.

        `without` are those that a batch has no line for, where it has no answer for any other either.
        """
        reasons = {}
        for key, error in errors.items():
            self.outcome.said = str(error)
            if isinstance(error, RefusedError):
                raise error
            self.doubtful[key] += isinstance(error, TransientError) and error.doubtful
            if isinstance(error, RejectedError) or self.doubtful[key] >= MOST_BATCHES:
                reasons[key] = f"rejected: {error}"
        batches = self.spending.batches_without_answer()
        lost = [key for key in without if batches[key] >= MOST_BATCHES]
        reasons |= {key: f"no line in the output of {batches[key]} batches" for key in lost}
        if reasons and not self.ledger.trusted:
            first = next(iter(reasons.values()))
            raise RefusedError(f"the judge's server answers nothing ({first}); check --model and --judge")
        return reasons

    async def _give_up(self, reasons: Mapping[Key, str]) -> int:
        """Make these calls missing; returns how many."""
        entries = [Entry(rejected=self.ledger.call_at(key), reason=reason) for key, reason in reasons.items()]
        await self.ledger.store(entries)
        return len(entries)

    def _bound(self, call: Call) -> float:
        return largest_cost(call.texts, self.settings.max_output_tokens, self.facts, batch=True)
