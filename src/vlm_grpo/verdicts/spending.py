"""What a run has spent, over all its sessions, and what it may still spend: the limit holds whatever a server does.

`asked.jsonl` gets a line before a call is sent, and another when the server charges nothing for it. A call whose answer
was stored costs what its usage says. Any other that was sent may have been paid, and counts at its bound: in flight at
a kill, broken off on the way, waiting in a batch, answered without a sensible usage.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlm_grpo.store import jsonl
from vlm_grpo.verdicts.providers import Call, Key

ASKED = "asked.jsonl"


@dataclass(frozen=True, slots=True)
class SentCall:
    """One call that was sent: what it asks about, its bound in dollars, and the token of its batch (None: live)."""

    key: Key
    bound: float
    batch: str | None


@dataclass(frozen=True, slots=True)
class StoredReply:
    """What a reply in the store tells of money: the number of its call, dollars (None: unknown) and their bound."""

    asked: int | None
    dollars: float | None
    bound: float


class Spending:
    """Dollars and calls of a run. `open` first, `close` last.

    `path` is where its notes are (None: no server is asked, nothing is noted); `limit` None allows everything.
    """

    def __init__(self, path: Path | None, limit: float | None) -> None:
        self._path = path
        self._limit = limit
        self._open: dict[int, SentCall] = {}
        self._answered: set[int] = set()
        self._reserved = 0.0
        self._open_dollars = 0.0
        self.sent = 0
        """Calls sent so far; each has the number that this was after it."""
        self.free = 0
        """Calls that the server refused or never got, and charges nothing for."""
        self.exact = 0.0
        """Dollars of answers whose usage is known."""
        self.unmetered = 0
        self.unmetered_dollars = 0.0
        """Answers whose usage is not, and their bound."""

    def open(self, replies: Iterable[StoredReply]) -> None:
        """Count what earlier sessions spent: their notes, and the `replies` in the store."""
        for note in jsonl.read_whole(self._path)[0] if self._path else ():
            if note.keys() >= {"asked", "free"}:
                self._close(note["asked"])
                self.free += 1
            elif note.keys() >= {"asked", "row_id", "model", "repeat", "bound", "batch"}:
                self.sent = max(self.sent, note["asked"])
                key = (note["row_id"], note["model"], note["repeat"])
                self._put(note["asked"], SentCall(key, note["bound"], note["batch"]))
        for reply in replies:
            self.answered(reply)
        self._file = jsonl.Appender(self._path) if self._path else None

    @property
    def spent(self) -> float:
        """Dollars spent at most."""
        return self.exact + self.uncertain

    @property
    def uncertain(self) -> float:
        """Dollars of `spent` that are bounds, not prices."""
        return self.unmetered_dollars + self._open_dollars

    @property
    def unanswered(self) -> int:
        """Calls that were sent and may have been paid, without an answer in the store: lost, or still in a batch."""
        return len(self._open)

    def reserve(self, bound: float) -> bool:
        """Set `bound` dollars aside for one call; False when that could exceed the limit."""
        if self._limit is not None and self.spent + self._reserved + bound > self._limit:
            return False
        self._reserved += bound
        return True

    def release(self, bound: float) -> None:
        """Give back what was reserved for a call that is not sent after all."""
        self._reserved -= bound

    def ask(self, calls: Sequence[tuple[Call, float]], *, batch: str | None = None) -> list[int]:
        """Note `calls`, whose bounds are reserved, as sent; returns their numbers. `batch` is their batch's token."""
        notes: list[dict[str, Any]] = []
        for call, bound in calls:
            self.sent += 1
            self._reserved -= bound
            self._put(self.sent, SentCall(call.key, bound, batch))
            row_id, model, repeat = call.key
            notes.append({"asked": self.sent, "row_id": row_id, "model": model, "repeat": repeat})
            notes[-1] |= {"bound": bound, "batch": batch}
        self._note(notes, durable=batch is not None)
        return [note["asked"] for note in notes]

    def answered(self, reply: StoredReply) -> None:
        """Count a reply that is in the store."""
        if reply.asked is not None:
            if reply.asked in self._answered:
                return
            self._answered.add(reply.asked)
            self._close(reply.asked)
        if reply.dollars is not None:
            self.exact += reply.dollars
        else:
            self.unmetered += 1
            self.unmetered_dollars += reply.bound

    def charged_nothing(self, numbers: Sequence[int], reason: str) -> None:
        """Note that the server charges nothing for these calls."""
        self._note([{"asked": number, "free": reason} for number in numbers], durable=False)
        for number in numbers:
            self._close(number)
        self.free += len(numbers)

    def in_batch(self, token: str) -> dict[Key, int]:
        """The calls of a batch without an answer in the store, and their numbers."""
        return {asked.key: number for number, asked in self._open.items() if asked.batch == token}

    def batches_without_answer(self) -> Counter[Key]:
        """How many batches each call was in that left no answer to it."""
        return Counter(asked.key for asked in self._open.values() if asked.batch)

    def close(self) -> None:
        """Close the file of notes."""
        if self._file:
            self._file.close()

    def _note(self, notes: Sequence[dict[str, Any]], *, durable: bool) -> None:
        if self._file:
            self._file.append(notes, durable=durable)

    def _put(self, number: int, asked: SentCall) -> None:
        self._open[number] = asked
        self._open_dollars += asked.bound

    def _close(self, number: int) -> None:
        asked = self._open.pop(number, None)
        if asked is not None:
            self._open_dollars -= asked.bound
        if not self._open:
            self._open_dollars = 0.0
