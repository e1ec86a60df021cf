"""What the runner asks of a provider: one call in, one raw reply out, and errors sorted by what to do about them."""

from dataclasses import dataclass
from typing import Protocol

from vlm_grpo.errors import UserError
from vlm_grpo.verdicts.items import Item

Key = tuple[str, str, int]
"""What makes a verdict one verdict: row, arm, repeat."""


@dataclass(frozen=True, slots=True)
class Call:
    """One question to a judge: `item` as data, `system` and `user` as the prompt made of it, `kinds` to choose from."""

    item: Item
    repeat: int
    system: str
    user: str
    kinds: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        """Row, arm and repeat."""
        return self.item.row_id, self.item.model, self.repeat

    @property
    def texts(self) -> tuple[str, ...]:
        """What is sent, for counting tokens."""
        return self.system, self.user, *self.kinds


class TransientError(Exception):
    """Worth another try.

    `throttled`: the server asks for less; `retry_after`: seconds it wants us to wait, or None; `said`: its own words;
    `paid`: the server may have made, and may charge, an answer that did not reach us.
    `doubtful`: nothing tells that another try will fare better, so too many in a row stop a run.
    """

    def __init__(
        self,
        reason: str,
        *,
        throttled: bool = False,
        retry_after: float | None = None,
        said: str | None = None,
        paid: bool = False,
        doubtful: bool = False,
    ) -> None:
        super().__init__(reason if said is None else f"{reason} ({said})")
        self.reason = reason
        self.throttled = throttled
        self.retry_after = retry_after
        self.said = said
        self.paid = paid
        self.doubtful = doubtful


class RejectedError(Exception):
    """The server will not answer this one call; other calls it may answer.

    `alone` is False where the server could as well refuse all calls (HTTP 403): answers to others tell.
    """

    def __init__(self, reason: str, *, alone: bool = True, paid: bool = False) -> None:
        super().__init__(reason)
        self.alone = alone
        self.paid = paid


class RefusedError(UserError):
    """No call will be answered until the user mends something: key, model, quota. `status`: of the server."""

    paid = False

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Provider(Protocol):
    """Something that answers calls."""

    api: str
    """Which envelope the raw reply is in: a name that `envelopes.read` knows."""

    async def ask(self, call: Call) -> str:
        """Return the raw reply, as text. Raises `TransientError`, `RejectedError` or `RefusedError`."""

    async def close(self) -> None:
        """Close connections."""
