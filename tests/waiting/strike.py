"""The waiting itself."""

import os
import time
from typing import Any

from vlm_grpo.methods import run
from vlm_grpo.methods.resume.stopping import StopAtStepEnd
from waiting import STEPS


class WaitForStrike(StopAtStepEnd):
    """Waits at the beginning of the steps."""

    steps = tuple(int(step) for step in os.environ.get(STEPS, "").split(",") if step)

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        while state.global_step + 1 in self.steps and self._request.name is None:
            time.sleep(0.02)


def wait_for_strikes() -> None:
    """Let the training of this process wait."""
    run.StopAtStepEnd = WaitForStrike
