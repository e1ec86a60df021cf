"""Trying again what a server may answer next time: with waits that grow at random, and no shorter than it asks for."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from itertools import count
from typing import TypeVar

from vlm_grpo.verdicts.providers import TransientError

T = TypeVar("T")
LONGEST_WAIT = 60.0


def wait(attempt: int, error: TransientError, *, first: float, longest: float = LONGEST_WAIT) -> float:
    """Seconds after `attempt` (from 1) before the next: random up to a bound that doubles from `first` on."""
    bound = min(longest, first * 2 ** (attempt - 1))
    return max(random.uniform(0, bound), error.retry_after or 0.0)


async def patiently(ask: Callable[[], Awaitable[T]], *, attempts: int, first_wait: float) -> T:
    """What `ask` returns; `TransientError` when all `attempts` fail. For requests that cost nothing."""
    for attempt in count(1):
        try:
            return await ask()
        except TransientError as error:
            if attempt == attempts:
                raise
            await asyncio.sleep(wait(attempt, error, first=first_wait))
    raise AssertionError("unreachable")
