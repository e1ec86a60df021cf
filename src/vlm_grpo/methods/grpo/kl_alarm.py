"""Say when the policy runs away from its reference: the KL against its own running median.

A mean KL that jumps by orders of magnitude is the practical sign of a lost run (r1_vlm's authors watched for it by
eye). Each logged KL is compared with the median of the logged ones before it: at 10 times one line, at 100 times a loud
one and, where asked, a checkpoint and the end of the run. A line comes when a level is reached and again only once the
KL has fallen below it. The window spans a reference's whole round (`ref_model_sync_steps`), in which the KL rises from
nearly nothing by itself; and what is below `HARMLESS` is no KL to be alarmed by, as in the first steps.

The state needs no file: it follows from the logs, which `transformers` keeps in its checkpoints.
"""

import statistics
import sys
from collections import deque
from typing import Any, Literal

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from typing_extensions import override

from vlm_grpo.methods.resume.stopping import EndedEarly

RAISED, LOST = 10.0, 100.0
"""How many times the median."""
WINDOW = 128
FEWEST = 8
"""Logged values before the first comparison."""
HARMLESS = 3e-3
"""Nats a token; a smaller median counts as this. A run that learns fast passes 0.01 within its first twenty steps."""


class KLMedian:
    """The running median of a KL. `level` is how many times it the last value was: 0 (in bounds), `RAISED`, `LOST`."""

    def __init__(self) -> None:
        self._before: deque[float] = deque(maxlen=WINDOW)
        self.level = 0.0
        self.median = HARMLESS

    def see(self, kl: float) -> bool:
        """Take in the next value; whether a level was reached that the one before was below."""
        before = self.level
        if len(self._before) >= FEWEST:
            self.median = max(HARMLESS, statistics.median(self._before))
            self.level = next((level for level in (LOST, RAISED) if kl >= level * self.median), 0.0)
        self._before.append(kl)
        return self.level > before


class KLAlarm(TrainerCallback):
    """Watches `kl` in the trainer's logs: `alarm` says tell (a line on stderr) or stop (save, then `EndedEarly`)."""

    def __init__(self, alarm: Literal["tell", "stop"]) -> None:
        self._stops = alarm == "stop"
        self._watch = KLMedian()
        self._lost: str | None = None

    @override
    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Take in what a resumed run has logged before, without a word."""
        self._watch = KLMedian()
        for logs in state.log_history:
            if logs.get("kl") is not None:
                self._watch.see(logs["kl"])

    @override
    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        kl = (logs or {}).get("kl")
        if kl is None or not self._watch.see(kl):
            return
        is_lost = self._watch.level == LOST
        seen = (
            f"kl {kl:.3g} at step {state.global_step} is {kl / self._watch.median:.3g} times its running median "
            f"{self._watch.median:.3g}"
        )
        if state.is_world_process_zero:
            print(f"KL ALARM: {seen}: THIS RUN IS PROBABLY LOST" if is_lost else f"kl: {seen}", file=sys.stderr)
        if is_lost and self._stops:
            self._lost = seen
            control.should_save = True

    @override
    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self._lost is not None:
            raise EndedEarly(
                self._lost,
                advice=f"a lower learning_rate (it was {args.learning_rate:g}) or a higher beta (it was {args.beta:g})",
            )
