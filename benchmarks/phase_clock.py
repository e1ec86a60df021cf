"""Where a training step spends its time and how much memory it takes at its highest.

Time is the clock's on a GPU, its work awaited, and the processor's on a machine without one: what else that machine
does meanwhile does not count.
"""

import ctypes
import gc
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

MMAP_THRESHOLD = -3
PAGES_AT_ONCE = 1 << 16


class PhaseClock:
    """Seconds by phase; a phase inside another is taken off the outer one and booked as "inner in outer"."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._open: list[tuple[str, float]] = []

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """Time what happens within, the GPU's work included."""
        self._book()
        self._open.append((f"{phase} in {self._open[-1][0]}" if self._open else phase, now()))
        yield
        self._book()
        self._open.pop()
        if self._open:
            self._open[-1] = (self._open[-1][0], now())

    def lap(self) -> dict[str, float]:
        """Seconds by phase since the last lap."""
        self._book()
        seconds = dict(self.seconds)
        self.seconds.clear()
        return seconds

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Time nothing of what happens within."""
        self._book()
        yield
        if self._open:
            self._open[-1] = (self._open[-1][0], now())

    def _book(self) -> None:
        if self._open:
            phase, since = self._open[-1]
            moment = now()
            self.seconds[phase] += moment - since
            self._open[-1] = (phase, moment)

    def watch(self, owner: Any, method: str, phase: str | Callable[[], str]) -> None:
        """Time every call of `owner.method` as `phase`; what another thread does meanwhile is no phase of the step."""
        stock = getattr(owner, method)

        def timed(*args: Any, **kwargs: Any) -> Any:
            if threading.current_thread() is not threading.main_thread():
                return stock(*args, **kwargs)
            with self(phase if isinstance(phase, str) else phase()):
                return stock(*args, **kwargs)

        timed.__wrapped__ = stock  # type: ignore[attr-defined]
        setattr(owner, method, timed)


def now() -> float:
    """Seconds: the clock's on a GPU once its work is done, else the processor's."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


class PeakMemory:
    """The most bytes in use at once, from `start` on, beyond what was in use then.

    On a GPU it is the allocator's count; on Linux without one, the process's resident memory.
    """

    def __init__(self) -> None:
        if not torch.cuda.is_available():
            ctypes.CDLL(None).mallopt(MMAP_THRESHOLD, PAGES_AT_ONCE)

    def start(self) -> None:
        """Forget what was."""
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
            self._before = torch.cuda.memory_allocated()
        else:
            ctypes.CDLL(None).malloc_trim(0)
            Path("/proc/self/clear_refs").write_text("5")
            self._before = _resident("VmRSS")

    def bytes(self) -> int:
        """The peak since `start`."""
        highest = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else _resident("VmHWM")
        return highest - self._before


def _resident(name: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024
