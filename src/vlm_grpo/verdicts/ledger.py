"""The two files of a run: `responses.jsonl`, every raw reply as it came, and `verdicts.jsonl`, one line per verdict.

A reply is appended and fsynced before it is parsed, so a crash never loses what was paid for. Replies that arrive
together share one fsync. Verdicts follow from replies: those that a crash left out are made on opening, and all of them
can be made again (`reparse`) without asking anybody. A line that cannot be read is told and left out: what it held
is made again from the other file, or asked again.
"""

import asyncio
import sys
import time
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vlm_grpo.errors import UserError
from vlm_grpo.store import jsonl
from vlm_grpo.verdicts import envelopes
from vlm_grpo.verdicts.models import ModelFacts
from vlm_grpo.verdicts.pricing import cost
from vlm_grpo.verdicts.prompt import Prompt
from vlm_grpo.verdicts.providers import Call, Key

RESPONSES = "responses.jsonl"
VERDICTS = "verdicts.jsonl"
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
    return str(record["row_id"]), str(record["model"]), record["repeat"]


def is_placed(record: dict[str, Any]) -> bool:
    """Whether a stored line says which row, arm and repeat it is of."""
    return record.keys() >= {"row_id", "model", "repeat"} and isinstance(record["repeat"], int)


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to store: a raw reply, or a call that the server rejects for good (nothing was paid)."""

    response: dict[str, Any] | None = None
    rejected: Call | None = None
    reason: str = ""


def response_record(
    call: Call, raw: str, api: str, *, seconds: float, asked: int | None = None, batch: bool = False
) -> dict[str, Any]:
    """The line of one raw reply; `seconds` is how long the judge took, `asked` the call's number in `asked.jsonl`."""
    row_id, model, repeat = call.key
    return {
        "row_id": row_id,
        "model": model,
        "repeat": repeat,
        "asked": asked,
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
        self._queue: asyncio.Queue[tuple[Entry, asyncio.Future[dict[str, Any]]]] = asyncio.Queue()
        self.replies: list[tuple[dict[str, Any], float | None]] = []
        """Replies in the store on opening, and their price in dollars where it is known."""
        self.aligns: dict[Key, bool | None] = {}
        """What the verdicts say; None where they are missing."""
        self.trusted = False
        """Whether there is any reply in the store: then the server can answer calls of this run."""

    def open(self, *, reparse: bool = False, ask_again: bool = False) -> None:
        """Read what is there, mend what a crash left, and make ready to append.

        `reparse` makes all verdicts anew from the raw replies, and keeps those that have none; `ask_again` forgets
        missing verdicts, so that they are asked once more.
        """
        responses, _ = self._read(RESPONSES, {"api", "batch", "seconds", "time", "raw"})
        stored, mend = self._read(VERDICTS, {"aligns", "missing"})
        latest = {key_of(record): record for record in responses}
        kept = {key_of(record): record for record in stored}
        self._check_known([*latest, *kept])
        missing = {key for key, record in kept.items() if record["missing"]} if ask_again else set()
        dropped = missing | (kept.keys() & latest.keys() if reparse else set())
        mend = mend or bool(dropped) or len(kept) < len(stored)
        kept = {key: record for key, record in kept.items() if key not in dropped}
        made = [self.verdict(record) for key, record in latest.items() if key not in kept and key not in missing]
        self.aligns = {key_of(record): record["aligns"] for record in (*kept.values(), *made)}
        self.replies = [(record, self.verdict(record)["cost"]) for record in responses]
        self.trusted = bool(responses)
        if mend:
            jsonl.write(self._folder / VERDICTS, [*kept.values(), *made])
            made = []
        self._responses = jsonl.Appender(self._folder / RESPONSES)
        self._verdicts = jsonl.Appender(self._folder / VERDICTS)
        if made:
            self._verdicts.append(made)
        self.append_unjudgeable()

    def _read(self, name: str, fields: set[str]) -> tuple[list[dict[str, Any]], bool]:
        """The records of a file that are whole, with all `fields`, and whether there are other lines."""
        path = self._folder / name
        records, damaged = jsonl.read_whole(path)
        whole = [record for record in records if is_placed(record) and record.keys() >= fields]
        odd = len(damaged) + len(records) - len(whole)
        if odd:
            print(f"note: {path} has {odd} lines that cannot be read; they are left out", file=sys.stderr)
        return whole, bool(odd)

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
            self.aligns |= {key_of(record): None for record in records}

    @property
    def done(self) -> Set[Key]:
        """The calls that have a verdict, be it missing."""
        return self.aligns.keys()

    def add(self, calls: Iterable[Call]) -> None:
        """Make `calls` part of the run, which grows while it goes on."""
        self._calls |= {call.key: call for call in calls}

    def pending(self) -> list[Call]:
        """The calls without a verdict, in order."""
        return [call for key, call in self._calls.items() if key not in self.done]

    async def record(self, entry: Entry) -> dict[str, Any]:
        """Store one entry; returns its verdict when both are on disk."""
        stored: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait((entry, stored))
        return await stored

    async def write_forever(self) -> None:
        """Store what `record` was given, all that waits at a time. Runs as a task until cancelled."""
        while True:
            batch = [await self._queue.get()]
            while not self._queue.empty():
                batch.append(self._queue.get_nowait())
            verdicts = await self.store([entry for entry, _ in batch])
            for (_, stored), verdict in zip(batch, verdicts, strict=True):
                stored.set_result(verdict)

    async def store(self, entries: Sequence[Entry]) -> list[dict[str, Any]]:
        """Append and fsync raw replies first, then the verdicts of all; only the disk is waited for in a thread."""
        responses = [entry.response for entry in entries if entry.response is not None]
        await asyncio.to_thread(self._responses.append, responses)
        verdicts = [self._verdict_of(entry) for entry in entries]
        await asyncio.to_thread(self._verdicts.append, verdicts)
        self.aligns |= {key_of(record): record["aligns"] for record in verdicts}
        self.trusted |= bool(responses)
        return verdicts

    def _verdict_of(self, entry: Entry) -> dict[str, Any]:
        if entry.response is not None:
            return self.verdict(entry.response)
        assert entry.rejected is not None, "an entry is a reply or a rejected call"
        return self._record(entry.rejected, NO_JUDGEMENT, missing=entry.reason)

    def verdict(self, response: dict[str, Any]) -> dict[str, Any]:
        """The verdict that follows from one stored reply."""
        prompt = self._context.prompt
        reply = envelopes.read(response["raw"], response["api"], tuple(prompt.kinds), prompt.form)
        usage = None if reply.usage is None else {"input": reply.usage.input, "output": reply.usage.output}
        return self._record(
            self.call_at(key_of(response)),
            reply.judgement,
            missing=reply.missing,
            judge_version=reply.version,
            usage=usage,
            cost=cost(reply.usage, self._context.facts, batch=response["batch"]),
            seconds=response["seconds"],
            time=response["time"],
            raw=response["raw"],
        )

    def call_at(self, key: Key) -> Call:
        """The call of this row, arm and repeat; earlier runs may have asked more repeats than this one does."""
        row_id, model, repeat = key
        return self._calls.get(key) or replace(self._calls[row_id, model, 0], repeat=repeat)

    def _record(self, call: Call, judgement: dict[str, Any], *, missing: str | None, **more: Any) -> dict[str, Any]:
        item, context = call.item, self._context
        return {
            "row_id": item.row_id,
            "split": context.split,
            "model": item.model,
            "repeat": call.repeat,
            "question": item.question,
            "label": item.truth,
            "right": item.right,
            "rule": item.rule,
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
            **{"judge_version": None, "usage": None, "cost": None, "seconds": None, "time": None, "raw": None, **more},
        }

    def close(self) -> None:
        """Close both files."""
        self._responses.close()
        self._verdicts.close()
