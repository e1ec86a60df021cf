"""The first signal asks to stop; one that comes with it is the same; a later one ends the process at once."""

import os
import signal
import subprocess
import sys

import pytest

from vlm_grpo.methods.resume import stopping

CODE = """
import os, signal
from vlm_grpo.methods.resume import stopping
stopping.SECOND_AFTER_S = 3600
with stopping.StopRequest() as stop:
    os.kill(os.getpid(), signal.{first})
    os.kill(os.getpid(), signal.{second})
    print(stop.name, flush=True)
    stopping.SECOND_AFTER_S = 0
    os.kill(os.getpid(), signal.{second})
    print("alive", flush=True)
"""


@pytest.mark.parametrize(
    "first, second",
    [
        ("SIGUSR1", "SIGTERM"),
        pytest.param("SIGTERM", "SIGUSR1", marks=pytest.mark.nightly),
        pytest.param("SIGTERM", "SIGTERM", marks=pytest.mark.nightly),
    ],
)
def test_a_later_signal_ends_the_process(first, second):
    code = CODE.format(first=first, second=second)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout == f"{first}\n"
    assert done.returncode == -signal.Signals[second]
    assert done.stderr == f"{first}: stopping after this step\n"


def test_the_handlers_before_come_back():
    before = signal.getsignal(signal.SIGTERM)
    with stopping.StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.name == "SIGTERM"
    assert signal.getsignal(signal.SIGTERM) == before
