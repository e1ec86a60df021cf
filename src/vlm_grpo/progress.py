"""Progress of a long loop on stderr: a bar on a terminal, a line every few seconds in a log file."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def progress(items: Iterable[T], *, total: int, label: str, seconds: float = 10.0) -> Iterator[T]:
    """Yield `items`, telling how many of `total` are done: at most one line per `seconds` outside a terminal."""
    if sys.stderr.isatty():
        yield from tqdm(items, total=total, desc=label, dynamic_ncols=True)
        return
    started = last = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if done == total or now - last >= seconds:
            last = now
            rate = done / max(now - started, 1e-9)
            print(
                f"{label}: {done}/{total}, {rate:.1f}/s, {(total - done) / rate:.0f} s left",
                file=sys.stderr,
                flush=True,
            )
