"""The two files of a run: `responses.jsonl`, every raw reply as it came, and `verdicts.jsonl`, one line per verdict.

A reply is appended and fsynced before it is parsed, so a crash never loses what was paid for. Replies that arrive
together share one fsync. Verdicts follow from replies: those that a crash left out are made on opening, and all of them
can be made again (`reparse`) without asking anybody.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlm_grpo.errors import UserError
from vlm_grpo.judge import envelopes
from vlm_grpo.judge.models import ModelFacts
from vlm_grpo.judge.pricing import cost
from vlm_grpo.judge.prompt import Prompt
from vlm_grpo.judge.providers import Call
from vlm_grpo.store import jsonl

RESPONSES = "responses.jsonl"
VERDICTS = "verdicts.jsonl"
Key = tuple[str, str, int]
NO_JUDGEMENT = {"aligns": None, "type": None, "why": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What all verdicts of a run share."""

    judge: str
    api: str
    prompt: Prompt
    split: str
    facts: ModelFacts | None
    checkpoints: dict[str, str]


def key_of(record: dict[str, Any]) -> Key:
    """Row, arm and repeat of a stored line."""
    return str(record["row_id"]), str(record["model"]), int(record["repeat"])


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to store: a raw reply, or a call that the server rejects for good (nothing was paid)."""

    response: dict[str, Any] | None = None
    rejected: Call | None = None
    reason: str = ""


def response_record(call: Call, raw: str, api: str, *, seconds: float, batch: bool = False) -> dict[str, Any]:
    """The line of one raw reply; `seconds` is how long the judge took."""
    row_id, model, repeat = call.key
    return {
        "row_id": row_id,
        "model": model,
        "repeat": repeat,
        "api": api,
        "batch": batch,
        "seconds": round(seconds, 3),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "raw": raw,
    }


class Ledger:
    """The store of one run. `calls` are all that the run consists of, asked or not."""

    def __init__(self, folder: Path, calls: Sequence[Call], context: Context) -> None:
        self._folder = folder
        self._context = context
        self._calls = {call.key: call for call in calls}
        self._queue: asyncio.Queue[tuple[Entry, asyncio.Future[None]]] = asyncio.Queue()
        self.spent = 0.0
        """Dollars of all replies in the store, as far as they are known."""
        self.replies = 0
        """Replies in the store."""

    def open(self, *, reparse: bool = False, ask_again: bool = False) -> None:
        """Read what is there, mend what a crash left, and make ready to append.

        `reparse` makes all verdicts anew from the raw replies; `ask_again` forgets missing verdicts, so that they are
        asked once more.
        """
        responses = jsonl.read(self._folder / RESPONSES)
        latest = {key_of(record): record for record in responses}
        kept = {} if reparse else {key_of(record): record for record in jsonl.read(self._folder / VERDICTS)}
        self._check_known([*latest, *kept])
        missing = {key for key, record in kept.items() if record["missing"]} if ask_again else set()
        for key in missing:
            del kept[key]
        made = [self.verdict(record) for key, record in latest.items() if key not in kept and key not in missing]
        self.done = kept.keys() | {key_of(record) for record in made}
        self.spent = sum(self.verdict(record)["cost"] or 0.0 for record in responses)
        self.replies = len(responses)
        if reparse or missing:
            jsonl.write(self._folder / VERDICTS, [*kept.values(), *made])
            made = []
        self._responses = jsonl.Appender(self._folder / RESPONSES)
        self._verdicts = jsonl.Appender(self._folder / VERDICTS)
        if made:
            self._verdicts.append(made)
        self.append_unjudgeable()

    def _check_known(self, keys: Iterable[Key]) -> None:
        for row_id, model, repeat in keys:
            if (row_id, model, repeat) not in self._calls and (row_id, model, 0) not in self._calls:
                raise UserError(
                    f"{self._folder} holds a verdict on row {row_id!r} of {model}, which is not in this run"
                )

    def append_unjudgeable(self) -> None:
        """Write the missing verdicts of items that nothing can be asked about."""
        records = [
            self._record(call, NO_JUDGEMENT, missing=call.item.unjudgeable)
            for call in self._calls.values()
            if call.item.unjudgeable and call.key not in self.done
        ]
        if records:
            self._verdicts.append(records)
            self.done |= {key_of(record) for record in records}

    def pending(self) -> list[Call]:
        """The calls without a verdict, in order."""
        return [call for key, call in self._calls.items() if key not in self.done]

    async def record(self, entry: Entry) -> None:
        """Store one entry; returns when it is on disk."""
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait((entry, stored))
        await stored

    async def write_forever(self) -> None:
        """Store what `record` was given, all that waits at a time. Runs as a task until cancelled."""
        while True:
            batch = [await self._queue.get()]
            while not self._queue.empty():
                batch.append(self._queue.get_nowait())
            await self.store([entry for entry, _ in batch])
            for _, stored in batch:
                stored.set_result(None)

    async def store(self, entries: Sequence[Entry]) -> None:
        """Append and fsync raw replies first, then all verdicts; only the disk is waited for in a thread."""
        responses = [entry.response for entry in entries if entry.response is not None]
        await asyncio.to_thread(self._responses.append, responses)
        verdicts = [self.verdict(response) for response in responses]
        verdicts += [
            self._record(entry.rejected, NO_JUDGEMENT, missing=entry.reason) for entry in entries if entry.rejected
        ]
        await asyncio.to_thread(self._verdicts.append, verdicts)
        self.done |= {key_of(record) for record in verdicts}
        self.replies += len(responses)
        self.spent += sum(record["cost"] or 0.0 for record in verdicts)

    def verdict(self, response: dict[str, Any]) -> dict[str, Any]:
        """The verdict that follows from one stored reply."""
        reply = envelopes.read(response["raw"], response["api"], tuple(self._context.prompt.kinds))
        usage = None if reply.usage is None else {"input": reply.usage.input, "output": reply.usage.output}
        return self._record(
            self._call_of(response),
            reply.judgement,
            missing=reply.missing,
            judge_version=reply.version,
            usage=usage,
            cost=cost(reply.usage, self._context.facts, batch=response["batch"]),
            seconds=response["seconds"],
            time=response["time"],
            raw=response["raw"],
        )

    def _call_of(self, response: dict[str, Any]) -> Call:
        row_id, model, repeat = key_of(response)
        known = self._calls.get((row_id, model, repeat))
        return known or Call(self._calls[row_id, model, 0].item, repeat, "", "")

    def _record(self, call: Call, judgement: dict[str, Any], *, missing: str | None, **told: Any) -> dict[str, Any]:
        item, context = call.item, self._context
        return {
            "row_id": item.row_id,
            "split": context.split,
            "model": item.model,
            "repeat": call.repeat,
            "question": item.question,
            "label": str(item.label),
            "images": list(item.images),
            "reasoning": item.reasoning,
            "answer": item.answer,
            **judgement,
            "missing": missing,
            "asks_type": bool(context.prompt.kinds),
            "kinds": dict(context.prompt.kinds),
            "judge": context.judge,
            "prompt": context.prompt.name,
            "prompt_hash": context.prompt.hash,
            "checkpoint": context.checkpoints[item.model],
            **{"judge_version": None, "usage": None, "cost": None, "seconds": None, "time": None, "raw": None, **told},
        }

    def close(self) -> None:
        """Close both files."""
        self._responses.close()
        self._verdicts.close()
