"""What the runner asks of a provider: one call in, one raw reply out, and errors sorted by what to do about them."""

from dataclasses import dataclass
from typing import Protocol

from vlm_grpo.errors import UserError
from vlm_grpo.judge.inputs import Item


@dataclass(frozen=True, slots=True)
class Call:
    """One question to a judge: `item` as data, `system` and `user` as the prompt made of it, `kinds` to choose from."""

    item: Item
    repeat: int
    system: str
    user: str
    kinds: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str, int]:
        """What makes a verdict one verdict: row, arm, repeat."""
        return self.item.row_id, self.item.model, self.repeat

    @property
    def texts(self) -> tuple[str, ...]:
        """What is sent, for counting tokens."""
        return self.system, self.user, *self.kinds


class TransientError(Exception):
    """Worth another try. `throttled`: the server asks for less; `retry_after`: seconds it wants us to wait, or None."""

    def __init__(self, reason: str, *, throttled: bool = False, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.throttled = throttled
        self.retry_after = retry_after


class RejectedError(Exception):
    """The server will never answer this one call (HTTP 400 and the like); other calls may do."""


class RefusedError(UserError):
    """No call will be answered until the user mends something: key, model, quota."""


class Provider(Protocol):
    """Something that answers calls."""

    api: str
    """Which envelope the raw reply is in: a name that `envelopes.read` knows."""

    async def ask(self, call: Call) -> str:
        """Return the raw reply, as text. Raises `TransientError`, `RejectedError` or `RefusedError`."""

    async def close(self) -> None:
        """Close connections."""
