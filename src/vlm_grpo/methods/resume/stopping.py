"""Stop on a signal at a step's end: SIGUSR1 (a time limit is near) and SIGTERM (preemption, node drain).

The first signal lets the current optimiser step finish; all processes agree, save a complete checkpoint, and the
command leaves with exit code 85. The same command goes on from there. A second signal, once `SECOND_AFTER_S` seconds
have passed (Slurm and a batch script both deliver the first one), ends the process at once; the checkpoint before
stays untouched.
"""

import atexit
import os
import signal
import sys
import time
from types import FrameType, TracebackType
from typing import Any, NoReturn

import torch
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from typing_extensions import override

from vlm_grpo.errors import USER_ERROR_EXIT_CODE, UserError

EXIT_STOPPED = 85
SIGNALS = (signal.SIGUSR1, signal.SIGTERM)
SECOND_AFTER_S = 5.0
STDERR = 2


class StopRequest:
    """Context manager that turns the first of `SIGNALS` into a request; `name` is the signal's, or None."""

    def __init__(self) -> None:
        self.name: str | None = None
        self._since = 0.0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "StopRequest":
        self._before = {number: signal.signal(number, self._receive) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.name is None:
            self.name, self._since = signal.Signals(number).name, time.monotonic()
            # A signal handler may interrupt a print: write to the descriptor itself.
            os.write(STDERR, f"{self.name}: stopping after this step\n".encode())
        elif time.monotonic() - self._since >= SECOND_AFTER_S:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


class StopAtStepEnd(TrainerCallback):
    """Save and stop at the end of the step in which any process was asked to.

    The trainer ends the epoch when it stops, wherever it is: what is logged at the end of epochs is kept back unless
    this is one, and the checkpoint is written after that log, as it would be without a stop. `was_asked` says that a
    process was.
    """

    def __init__(self, request: StopRequest) -> None:
        self._request = request
        self._saved = -1
        self.was_asked = False

    @override
    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if any_process(self._request.name is not None, args):
            self.was_asked = control.should_training_stop = True

    @override
    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._saved = state.global_step

    @override
    def on_epoch_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self.was_asked:
            ended = float(state.epoch or 0).is_integer() or state.global_step >= state.max_steps
            control.should_log = control.should_log and ended
            control.should_save = self._saved != state.global_step


class EndedEarly(UserError):
    """A callback ends the run, for a reason and with advice for the user; this step's checkpoint is saved."""

    def __init__(self, reason: str, *, advice: str) -> None:
        super().__init__(reason)
        self.advice = advice


def leave_telling(line: str, trainer: Trainer) -> NoReturn:
    """End every process of the run with exit code 2; a single one by `UserError`, of several one says the `line`."""
    if trainer.args.world_size == 1:
        raise UserError(line) from None
    if trainer.is_world_process_zero():
        print(f"error: {line}", file=sys.stderr, flush=True)
    trainer.accelerator.wait_for_everyone()
    leave(USER_ERROR_EXIT_CODE, processes=trainer.args.world_size)
    raise AssertionError("several processes have left")


def leave(code: int, *, processes: int) -> None:
    """End this process with exit code `code` once its work is done; a single one with code 0 just returns.

    Several end without the interpreter's shutdown, in which a communication thread can abort the process and lose the
    exit code; what trackers and logging do at exit is done before.
    """
    if processes > 1:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    if code:
        raise SystemExit(code)


def any_process(flag: bool, args: TrainingArguments) -> bool:
    """Whether any process of the run has its `flag` up; all processes call it together."""
    if args.world_size == 1:
        return flag
    shared = torch.tensor(int(flag), device=args.device)
    torch.distributed.all_reduce(shared, op=torch.distributed.ReduceOp.MAX)
    return bool(shared)
