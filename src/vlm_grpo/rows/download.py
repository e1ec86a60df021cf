"""Fetch pictures over HTTP: each address once, several at a time, resumable.

A picture gets its name only when it arrived whole and decodes (a temporary sibling, then a rename), so a killed
run leaves nothing that looks complete and the next run fetches what is missing. Passing troubles (no connection,
time-outs, cut-off bodies, HTTP 408/425/429/5xx) are tried again after a growing, jittered pause or the server's
`Retry-After`; all others fail at once. What could not be had is returned with its reason; only an outage, where one
connection after the other fails, ends the run.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from threading import Event

import httpx
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_after_attempt,
    stop_when_event_set,
    wait_exponential,
    wait_random,
)
from tenacity.wait import wait_base

from vlm_grpo.errors import UserError
from vlm_grpo.progress import progress
from vlm_grpo.rows.images import NotAPicture, decode

PASSING = (408, 425, 429, 500, 502, 503, 504)
LONGEST_PAUSE = 20.0
LONGEST_RETRY_AFTER = 300.0
OUTAGE = 24


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How hard to try.

    Attributes:
        workers: pictures fetched at the same time.
        timeout: seconds one attempt may take, from connecting to the last byte.
        retries: attempts after the first one, for passing troubles only.
        pause: seconds before the first retry (and up to as many more, drawn at random); doubled for each further one.
    """

    workers: int = 8
    timeout: float = 30.0
    retries: int = 4
    pause: float = 0.5


@dataclass
class Fetched:
    """How many pictures were fetched now and kept from before; `failed` gives the reason by address."""

    fetched: int = 0
    kept: int = 0
    failed: dict[str, str] = field(default_factory=dict)


class Failed(Exception):
    """This file cannot be had; trying again would not help."""


class Passing(Failed):
    """Trouble that may pass; `retry_after` is the pause in seconds that the server asked for."""

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Unreachable(Passing):
    """No connection came about."""


def fetch_pictures(wanted: dict[str, Path], policy: Policy) -> Fetched:
    """Fetch every address of `wanted` to its path; pictures that are there and decode are kept.

    Raises `UserError` when no connection came about for `OUTAGE` pictures in a row.
    """
    outcome = Fetched()
    unreachable = 0
    leave = Event()
    limits = httpx.Limits(max_connections=policy.workers)
    with (
        httpx.Client(timeout=policy.timeout, limits=limits, follow_redirects=True) as client,
        ThreadPoolExecutor(policy.workers) as pool,
    ):
        futures = {pool.submit(_ensure, client, *pair, policy, leave): pair[0] for pair in wanted.items()}
        try:
            for future in progress(as_completed(futures), total=len(futures), label="pictures"):
                error = future.exception()
                unreachable = unreachable + 1 if isinstance(error, Unreachable) else 0
                if unreachable == OUTAGE:
                    raise UserError(
                        f"no connection for {OUTAGE} pictures in a row, the last one {futures[future]} ({error}); "
                        "check the network or name a mirror, then run the same command again to go on"
                    )
                if isinstance(error, Failed):
                    outcome.failed[futures[future]] = str(error)
                elif future.result():
                    outcome.fetched += 1
                else:
                    outcome.kept += 1
        finally:
            leave.set()
            pool.shutdown(cancel_futures=True)
    return outcome


def _ensure(client: httpx.Client, address: str, path: Path, policy: Policy, leave: Event) -> bool:
    """Have a good picture at `path`: True when it was fetched, False when it was there."""
    if _decodes(path):
        return False
    attempts = Retrying(
        retry=retry_if_exception_type(Passing),
        stop=stop_after_attempt(policy.retries + 1) | stop_when_event_set(leave),
        wait=Pause(policy.pause),
        sleep=sleep_using_event(leave),
        reraise=True,
    )
    attempts(_fetch, client, address, path, policy.timeout, leave)
    return True


def _decodes(path: Path) -> bool:
    try:
        decode(path)
    except NotAPicture:
        return False
    return True


def _fetch(client: httpx.Client, address: str, path: Path, timeout: float, leave: Event) -> None:
    part = path.with_name(f".{path.name}.part")
    deadline = time.monotonic() + timeout
    try:
        with told_apart(), client.stream("GET", address) as response:
            check_status(response)
            content_type = response.headers.get("content-type", "no content type")
            with part.open("wb") as file:
                for chunk in response.iter_bytes():
                    file.write(chunk)
                    if time.monotonic() > deadline or leave.is_set():
                        raise Passing(f"not whole after {timeout:g} s")
        decode(part)
        part.replace(path)
    except NotAPicture as error:
        raise Failed(f"what arrived ({content_type}) {error}") from None
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def told_apart() -> Iterator[None]:
    """Sort the client's errors into passing ones and others."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
        raise Unreachable(_reason(error)) from None
    except (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError) as error:
        raise Passing(_reason(error)) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Failed(_reason(error)) from None


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")


def check_status(response: httpx.Response) -> None:
    """`Passing` or `Failed` for an answer that is no success."""
    if response.is_success:
        return
    message = f"HTTP {response.status_code} {response.reason_phrase}".strip()
    if response.status_code not in PASSING:
        raise Failed(message)
    asked = retry_after(response.headers.get("retry-after"))
    if asked is not None and asked > LONGEST_RETRY_AFTER:
        raise Failed(f"{message}; the server asks to come back in {asked:.0f} s")
    raise Passing(message, retry_after=asked)


def retry_after(header: str | None) -> float | None:
    """Seconds from now that a `Retry-After` header (seconds or an HTTP date) asks for; None when it says nothing."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


class Pause(wait_base):
    """A growing, jittered pause, or the one that the server asked for where that is longer."""

    def __init__(self, first: float) -> None:
        self._growing = wait_exponential(multiplier=first, max=LONGEST_PAUSE) + wait_random(0, first)

    def __call__(self, retry_state: RetryCallState) -> float:
        """Seconds to wait before the next attempt."""
        error = retry_state.outcome.exception() if retry_state.outcome is not None else None
        asked = error.retry_after if isinstance(error, Passing) else None
        return max(self._growing(retry_state), asked or 0.0)
