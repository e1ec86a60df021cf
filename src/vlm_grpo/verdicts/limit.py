"""How many calls may be under way: shrinks when the server says too many, grows back with success.

Additive increase, multiplicative decrease, as TCP does it: one more for each full round of successes, a fifth fewer for
a throttled round. Answers to calls that were sent before the last cut do not cut again. A `Retry-After` holds back all
new calls for that time. Server errors and time-outs leave the limit as it is.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

DECREASE = 0.8


class AdaptiveLimit:
    """Hands out at most `current` slots at a time, at most `most`."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.current = float(most)
        self.in_flight = 0
        self._resume_at = 0.0
        self._last_cut = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[float]:
        """Hold one slot for one call; gives the time it was obtained, for `throttled`."""
        await self._acquire()
        try:
            yield asyncio.get_running_loop().time()
        finally:
            self.in_flight -= 1
            self._wake()

    async def _acquire(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            pause = self._resume_at - loop.time()
            if pause > 0:
                await asyncio.sleep(pause)
            elif self.in_flight < int(self.current):
                self.in_flight += 1
                return
            else:
                turn: asyncio.Future[None] = loop.create_future()
                self._waiting.append(turn)
                await turn

    def _wake(self) -> None:
        free = int(self.current) - self.in_flight
        while free > 0 and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                free -= 1

    def succeeded(self) -> None:
        """Count one answered call: the limit grows by one per round of them."""
        self.current = min(float(self.most), self.current + 1 / self.current)
        self._wake()

    def throttled(self, sent_at: float, retry_after: float | None) -> None:
        """Cut the limit for a call sent at `sent_at` (loop time), and hold back new ones for `retry_after` seconds."""
        now = asyncio.get_running_loop().time()
        if sent_at >= self._last_cut:
            self.current = max(1.0, self.current * DECREASE)
            self._last_cut = now
        if retry_after is not None:
            self._resume_at = max(self._resume_at, now + retry_after)
