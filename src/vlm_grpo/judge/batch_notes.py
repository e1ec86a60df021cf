"""`batches.jsonl`: which batches a run submitted, so that none is paid for twice.

A batch is noted before it is created, under a token that it carries as metadata: whatever breaks in between, the token
finds it on the server again. Kept apart from the Batch API itself, since a run without `--batch` must look here, too.
"""

from enum import StrEnum
from pathlib import Path

from vlm_grpo.store import jsonl

BATCHES = "batches.jsonl"


class State(StrEnum):
    """How far a batch is. After SUBMITTING alone, the server may or may not have made it."""

    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    FETCHED = "fetched"
    NEVER_MADE = "never made"


UNDER_WAY = (State.SUBMITTING, State.SUBMITTED)


class BatchNotes:
    """The notes of one run, read on opening and appended to."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / BATCHES
        self._states: dict[str, State] = {}
        self._names: dict[str, str] = {}
        self._calls: dict[str, int] = {}
        notes = [note for note in jsonl.read_whole(self.path)[0] if note.get("state") in list(State)]
        for note in notes:
            token = str(note.get("token"))
            self._states[token] = State(note["state"])
            self._calls[token] = note.get("calls", self._calls.get(token, 0))
            if "batch" in note:
                self._names[token] = note["batch"]

    def under_way(self) -> dict[str, State]:
        """Tokens of batches whose answers were not fetched yet."""
        return {token: state for token, state in self._states.items() if state in UNDER_WAY}

    def name(self, token: str) -> str | None:
        """What the server calls the batch; None when it never said."""
        return self._names.get(token)

    def in_words(self) -> str:
        """The batches under way, in words."""
        tokens = self.under_way()
        names = [self._names.get(token, "one whose creation was not confirmed") for token in tokens]
        return f"{', '.join(names)} with {sum(self._calls[token] for token in tokens)} calls"

    def note(self, token: str, state: State, *, batch: str | None = None, calls: int | None = None) -> None:
        """Append that the batch with `token` is in `state`; on disk when this returns."""
        more = {name: value for name, value in (("batch", batch), ("calls", calls)) if value is not None}
        with jsonl.Appender(self.path) as file:
            file.append([{"token": token, "state": state, **more}])
        self._states[token] = state
        self._calls[token] = calls if calls is not None else self._calls.get(token, 0)
        if batch is not None:
            self._names[token] = batch
