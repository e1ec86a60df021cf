"""Asking all pending calls: many at a time, slower when told to, within a budget, every reply on disk before the next.

Transient errors are retried with jittered, growing waits, at least as long as the server asks. A call that stays
unanswered after the last attempt has no verdict, and the next run asks it again. A call that the server rejects is
missing for good; but when the first answers are all rejections, the request itself is wrong, and the run stops.
"""

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from vlm_grpo.judge.ledger import Entry, Ledger, response_record
from vlm_grpo.judge.limit import AdaptiveLimit
from vlm_grpo.judge.models import ModelFacts
from vlm_grpo.judge.pricing import Budget, cost, largest_usage
from vlm_grpo.judge.providers import Call, Provider, RefusedError, RejectedError, TransientError

SUSPICIOUS = 8
"""Rejections without any answer after which a run stops."""
TOLD_EVERY = 10.0
"""Seconds between lines of progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How hard to ask. `first_wait` and `longest_wait` are seconds: the retry waits grow from one to the other."""

    concurrency: int = 32
    attempts: int = 10
    first_wait: float = 1.0
    longest_wait: float = 60.0


@dataclass(slots=True)
class Outcome:
    """What a run did: `unanswered` calls by last error, `retries` by reason, `out_of_budget` if it stopped early."""

    answered: int = 0
    unanswered: Counter[str] = field(default_factory=Counter)
    retries: Counter[str] = field(default_factory=Counter)
    out_of_budget: bool = False


class Runner:
    """Asks `calls` of `provider` and stores what comes back in `ledger`."""

    def __init__(
        self,
        provider: Provider,
        ledger: Ledger,
        *,
        pace: Pace,
        budget: Budget,
        facts: ModelFacts | None,
        max_output_tokens: int,
    ) -> None:
        self._provider = provider
        self._ledger = ledger
        self._pace = pace
        self._budget = budget
        self._facts = facts
        self._max_output_tokens = max_output_tokens
        self._limit = AdaptiveLimit(pace.concurrency)
        self._outcome = Outcome()
        self._budget_freed = asyncio.Condition()
        self._refused: RefusedError | None = None
        self._rejected: list[Entry] = []

    async def run(self, calls: Sequence[Call]) -> Outcome:
        """Ask `calls`; returns when all are answered, given up, or out of budget.

        Raises `RefusedError` when no call will be answered, after what was under way is stored.
        """
        if not calls:
            return self._outcome
        try:
            async with asyncio.TaskGroup() as group:
                beside = [group.create_task(self._ledger.write_forever()), group.create_task(self._tell(len(calls)))]
                await self._ask_all(iter(calls))
                for task in beside:
                    task.cancel()
        except* (OSError, RefusedError) as failed:
            raise failed.exceptions[0] from None
        if self._refused is not None:
            raise self._refused
        return self._outcome

    async def _ask_all(self, queue: Iterator[Call]) -> None:
        async with asyncio.TaskGroup() as group:
            # twice as many workers as slots: a worker whose reply is being stored holds no slot
            for _ in range(2 * self._pace.concurrency):
                group.create_task(self._work(queue))
        if self._rejected and not self._refused:
            await self._record_rejected()

    async def _work(self, queue: Iterator[Call]) -> None:
        for call in queue:
            if self._outcome.out_of_budget or self._refused:
                return
            try:
                await self._judge(call)
            except RefusedError as error:
                self._refused = error  # the others finish what is under way: it is paid for

    async def _judge(self, call: Call) -> None:
        bound = cost(largest_usage(call.texts, self._max_output_tokens), self._facts) or 0.0
        if not await self._reserve(bound):
            self._outcome.out_of_budget = True
            return
        try:
            started, raw = await self._retrying(call)
        except TransientError as error:
            self._outcome.unanswered[error.reason] += 1
        except RejectedError as error:
            self._rejected.append(Entry(rejected=call, reason=f"rejected: {error}"))
            if self._ledger.replies or len(self._rejected) == SUSPICIOUS:
                await self._record_rejected()
        else:
            seconds = time.monotonic() - started
            await self._ledger.record(Entry(response_record(call, raw, self._provider.api, seconds=seconds)))
            self._outcome.answered += 1
        finally:
            await self._settle(bound)

    async def _record_rejected(self) -> None:
        if not self._ledger.replies:
            first = self._rejected[0].reason
            raise RefusedError(f"the judge's server answers nothing ({first}); check --model, --judge and the options")
        held, self._rejected = self._rejected, []
        await asyncio.gather(*(self._ledger.record(entry) for entry in held))

    async def _retrying(self, call: Call) -> tuple[float, str]:
        for attempt in count(1):
            try:
                return await self._attempt(call)
            except TransientError as error:
                if attempt == self._pace.attempts:
                    raise
                await asyncio.sleep(self._wait(attempt, error))
        raise AssertionError("unreachable")

    async def _attempt(self, call: Call) -> tuple[float, str]:
        async with self._limit.slot() as sent_at:
            started = time.monotonic()
            try:
                raw = await self._provider.ask(call)
            except TransientError as error:
                self._outcome.retries[error.reason] += 1
                if error.throttled:
                    self._limit.throttled(sent_at, error.retry_after)
                raise
            self._limit.succeeded()
            return started, raw

    def _wait(self, attempt: int, error: TransientError) -> float:
        """Seconds before the next attempt: random up to a bound that doubles, and no less than the server asks."""
        bound = min(self._pace.longest_wait, self._pace.first_wait * 2 ** (attempt - 1))
        return max(random.uniform(0, bound), error.retry_after or 0.0)

    async def _reserve(self, dollars: float) -> bool:
        """Wait until `dollars` fit into the budget; False when they never will."""
        async with self._budget_freed:
            while not self._budget.reserve(dollars):
                if self._budget.idle or self._outcome.out_of_budget:
                    return False
                await self._budget_freed.wait()
        return True

    async def _settle(self, bound: float) -> None:
        async with self._budget_freed:
            self._budget.settle(bound, spent=self._ledger.spent)
            self._budget_freed.notify_all()

    async def _tell(self, total: int) -> None:
        while True:
            await asyncio.sleep(TOLD_EVERY)
            dollars = f", ${self._ledger.spent:.2f}" if self._facts else ""
            print(
                f"judged {self._outcome.answered}/{total}, {self._limit.in_flight} in flight (limit "
                f"{int(self._limit.current)}), {sum(self._outcome.retries.values())} retries{dollars}",
                file=sys.stderr,
                flush=True,
            )
