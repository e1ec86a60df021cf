"""The process that reads formulas: started when first asked, shared by all threads, ended when it does not answer."""

import json
import os
import selectors
import subprocess
import sys
import threading
from pathlib import Path

SECONDS = 2
"""That one formula may take; math-verify's own limit in the process."""
PATIENCE = 2.0 * SECONDS + 1
"""Seconds after which the process is ended: one step within the algebra can outlast any signal."""
STARTING = 120.0
"""Seconds until it must be ready: it imports the algebra first."""


class FormulaProcess:
    """One running `formula_worker`."""

    def __init__(self) -> None:
        worker = Path(__file__).with_name("formula_worker.py")
        self._process = subprocess.Popen(
            [sys.executable, str(worker), str(SECONDS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._asked, self._said = self._process.stdin, self._process.stdout
        self._answers = selectors.DefaultSelector()
        self._answers.register(self._said, selectors.EVENT_READ)
        ready = self._line(STARTING)
        assert ready == b"true\n", f"{worker} does not start (it said {ready!r})"

    def ask(self, *question: str) -> bool | None:
        """The answer to `question`; None, and the process is ended, where it does not come in time."""
        self._asked.write(json.dumps(question).encode() + b"\n")
        self._asked.flush()
        line = self._line(PATIENCE)
        if not line:
            self.end()
            return None
        return bool(json.loads(line))

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._answers.close()
        self._asked.close()
        self._said.close()

    def _line(self, seconds: float) -> bytes:
        return self._said.readline() if self._answers.select(seconds) else b""


_lock = threading.Lock()
_running: dict[int, FormulaProcess] = {}
"""By the process that asks: a fork must not share its parent's."""


def ask(*question: str) -> bool | None:
    """The answer to `question` (`formula_worker` says which there are); None where there is none in time."""
    with _lock:
        own = os.getpid()
        if own not in _running:
            _running[own] = FormulaProcess()
        answer = _running[own].ask(*question)
        if answer is None:
            del _running[own]
        return answer
