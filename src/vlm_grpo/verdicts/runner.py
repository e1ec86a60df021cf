"""Asking all pending calls: many at a time, slower when told to, within a budget, every reply on disk before the next.

Transient errors are retried with jittered, growing waits, at least as long as the server asks. A call that stays
unanswered after the last attempt has no verdict, and the next run asks it again. A call that the server rejects, or
answers with nothing that can be read, is missing; but when all fare so, the request itself is wrong, and the run stops
(`doubt`). Each attempt is noted before it is sent, and counts against the budget unless the server charges nothing.
"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from vlm_grpo.verdicts import patience
from vlm_grpo.verdicts.doubt import Doubt
from vlm_grpo.verdicts.ledger import Entry, Ledger, response_record
from vlm_grpo.verdicts.limit import AdaptiveLimit
from vlm_grpo.verdicts.models import ModelFacts
from vlm_grpo.verdicts.pricing import largest_cost
from vlm_grpo.verdicts.providers import Call, Provider, RefusedError, RejectedError, TransientError
from vlm_grpo.verdicts.spending import Spending, StoredReply

UNREADABLE_REPLIES = 5
"""After so many replies that make no sense, a call is missing."""
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
class Tally:
    """What a run did: `unanswered` calls by last error, `retries` by reason, `out_of_budget` if it stopped early.

    `said` are the last words of the server about a call that it did not answer.
    """

    answered: int = 0
    unanswered: Counter[str] = field(default_factory=Counter)
    retries: Counter[str] = field(default_factory=Counter)
    out_of_budget: bool = False
    said: str | None = None


class OutOfBudgetError(Exception):
    """Another attempt could exceed the limit."""


class Runner:
    """Asks `calls` of `provider` and stores what comes back in `ledger`."""

    def __init__(
        self,
        provider: Provider,
        ledger: Ledger,
        *,
        pace: Pace,
        spending: Spending,
        facts: ModelFacts | None,
        max_output_tokens: int,
    ) -> None:
        self._provider = provider
        self._ledger = ledger
        self._pace = pace
        self._spending = spending
        self._facts = facts
        self._max_output_tokens = max_output_tokens
        self._limit = AdaptiveLimit(pace.concurrency)
        self._outcome = Tally()
        self._budget_freed = asyncio.Condition()
        self._under_way = 0
        self._refused: RefusedError | None = None
        self._doubt = Doubt(trusted=ledger.trusted, at_once=pace.concurrency)

    async def run(self, calls: Sequence[Call]) -> Tally:
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
            raise _first(failed) from None
        if self._refused is not None:
            raise self._refused
        return self._outcome

    async def _ask_all(self, queue: Iterator[Call]) -> None:
        async with asyncio.TaskGroup() as group:
            # twice as many workers as slots: a worker whose reply is being stored holds no slot
            for _ in range(2 * self._pace.concurrency):
                group.create_task(self._work(queue))
        if not self._refused:
            await self._store(self._doubt.finish())

    async def _work(self, queue: Iterator[Call]) -> None:
        for call in queue:
            if self._outcome.out_of_budget or self._refused:
                return
            try:
                await self._judge(call)
            except OutOfBudgetError:
                self._outcome.out_of_budget = True
            except RefusedError as error:
                self._refused = error  # the others finish what is under way: it is paid for

    async def _judge(self, call: Call) -> None:
        """Ask `call` until it is answered, given up, or without hope."""
        unreadable = 0
        for attempt in count(1):
            try:
                return await self._attempt(call)
            except RejectedError as error:
                entry = Entry(rejected=call, reason=f"rejected: {error}")
                return await self._store(self._doubt.hopeless(entry, alone=error.alone, sent=self._spending.sent))
            except TransientError as error:
                self._outcome.retries[error.reason] += 1
                self._outcome.said = error.said or self._outcome.said
                if error.doubtful or error.paid:
                    self._doubt.failed(call.key, error.said or error.reason)
                unreadable += error.doubtful and bool(error.said)
                if unreadable == UNREADABLE_REPLIES:
                    entry = Entry(rejected=call, reason=f"no answer in {unreadable} replies: {error}")
                    return await self._store(self._doubt.hopeless(entry, alone=False, sent=self._spending.sent))
                if attempt == self._pace.attempts:
                    self._outcome.unanswered[error.reason] += 1
                    return None
                await asyncio.sleep(patience.wait(attempt, error, first=self._pace.first_wait))
                if self._refused:
                    return None
        raise AssertionError("unreachable")

    async def _store(self, entries: Sequence[Entry]) -> None:
        await asyncio.gather(*(self._ledger.record(entry) for entry in entries))

    async def _attempt(self, call: Call) -> None:
        """Ask `call` once and store the answer."""
        bound = largest_cost(call.texts, self._max_output_tokens, self._facts)
        await self._reserve(bound)
        try:
            async with self._limit.slot() as sent_at:
                if self._refused:
                    self._spending.release(bound)
                    return
                number, started, raw = await self._send(call, bound, sent_at)
            seconds = time.monotonic() - started
            record = response_record(call, raw, self._provider.api, seconds=seconds, asked=number)
            verdict = await self._ledger.record(Entry(record))
            self._spending.answered(StoredReply(number, verdict["cost"], bound))
            self._outcome.answered += 1
            await self._store(self._doubt.answered(number))
        finally:
            async with self._budget_freed:
                self._under_way -= 1
                self._budget_freed.notify_all()

    async def _send(self, call: Call, bound: float, sent_at: float) -> tuple[int, float, str]:
        """Send `call`, which holds a slot since `sent_at`; returns its number, when it was sent, and the raw answer."""
        [number] = self._spending.ask([(call, bound)])
        started = time.monotonic()
        try:
            raw = await self._provider.ask(call)
        except (TransientError, RejectedError) as error:
            if not error.paid:
                self._spending.charged_nothing([number], str(error))
            if isinstance(error, TransientError) and error.throttled:
                self._limit.throttled(sent_at, error.retry_after)
            raise
        except RefusedError as error:
            self._spending.charged_nothing([number], str(error))
            raise
        self._limit.succeeded()
        return number, started, raw

    async def _reserve(self, dollars: float) -> None:
        """Wait until `dollars` fit into the budget; `OutOfBudgetError` when they never will."""
        async with self._budget_freed:
            while not self._spending.reserve(dollars):
                if self._under_way == 0 or self._outcome.out_of_budget:
                    raise OutOfBudgetError
                await self._budget_freed.wait()
            self._under_way += 1

    async def _tell(self, total: int) -> None:
        while True:
            await asyncio.sleep(TOLD_EVERY)
            dollars = f", ${self._spending.spent:.2f}" if self._facts else ""
            print(
                f"judged {self._outcome.answered}/{total}, {self._limit.in_flight} in flight (limit "
                f"{int(self._limit.current)}), {sum(self._outcome.retries.values())} retries{dollars}",
                file=sys.stderr,
                flush=True,
            )


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first exception of a group of groups."""
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
