"""A training that is told to stop in the middle of chosen steps, as Slurm tells it."""

import os
import signal
from typing import Any

from vlm_grpo.methods.metrics import MetricsFile


class SignalAt(MetricsFile):
    """Sends this process SIGUSR1 in the middle of the given steps; otherwise the metrics file that it stands in for."""

    steps: tuple[int, ...] = ()

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step + 1 in self.steps:
            os.kill(os.getpid(), signal.SIGUSR1)
