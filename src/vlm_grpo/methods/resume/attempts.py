"""`attempts.jsonl`: one line for each start of a training run and one for each end.

A start has `attempt` (1, 2, ...), `step` (optimiser step it begins at), `max_steps`, `time`, `host`, and, under Slurm,
`job` and `limit` (when the job's time ends). An end is `done`, `stopped` (by the signal it names, or for the reason it
gives), `diverged` (for a reason) or, written by the next start, `lost` (killed or crashed), with its `step` and
`seconds`.
"""

import calendar
import os
import platform
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from typing_extensions import override

from vlm_grpo.methods.resume import checkpoints
from vlm_grpo.store import jsonl

ATTEMPTS = "attempts.jsonl"
STARTED, STOPPED, DONE, LOST, DIVERGED = "started", "stopped", "done", "lost", "diverged"
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


class AttemptLog(TrainerCallback):
    """Writes the lines of this attempt; only the main process does."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._clock = time.monotonic()

    @override
    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if not state.is_world_process_zero:
            return
        earlier = read(self._run)
        lines = [_lost(earlier[-1], self._run)] if earlier and earlier[-1]["event"] == STARTED else []
        lines.append(
            {
                "attempt": 1 + sum(line["event"] == STARTED for line in earlier),
                "event": STARTED,
                "step": state.global_step,
                "max_steps": state.max_steps,
                "time": _stamp(time.time()),
                "host": platform.node(),
                "pid": os.getpid(),
                **_slurm(),
            }
        )
        _append(self._run, lines)

    def end(self, event: str, *, step: int, **why: str | None) -> None:
        """Write this attempt's end: `done`, `stopped` by a `signal` or for a `reason`, or `diverged`."""
        reasons = {name: text for name, text in why.items() if text is not None}
        number = sum(line["event"] == STARTED for line in read(self._run))
        _append(self._run, [_end(number, event, step=step, seconds=time.monotonic() - self._clock) | reasons])


def read(run: Path) -> list[dict[str, Any]]:
    """The lines of `run`, oldest first."""
    return jsonl.read(run / ATTEMPTS)


def seconds(run: Path) -> float:
    """Wall time of all attempts that ended; of a lost one, up to the checkpoint that was kept."""
    return sum(line["seconds"] for line in read(run) if line["event"] != STARTED)


def _lost(start: dict[str, Any], run: Path) -> dict[str, Any]:
    """The end of an attempt that could not write its own."""
    kept = checkpoints.find(run)
    began = calendar.timegm(time.strptime(start["time"], TIME_FORMAT))
    saved = (kept.newest / checkpoints.MARK).stat().st_mtime if kept.newest else float(began)
    return _end(start["attempt"], LOST, step=kept.step, seconds=max(0.0, saved - began))


def _end(attempt: int, event: str, *, step: int, seconds: float) -> dict[str, Any]:
    return {
        "attempt": attempt,
        "event": event,
        "step": step,
        "time": _stamp(time.time()),
        "seconds": round(seconds, 3),
    }


def _slurm() -> dict[str, str]:
    names = {"job": "SLURM_JOB_ID", "restart": "SLURM_RESTART_COUNT"}
    known = {key: os.environ[name] for key, name in names.items() if name in os.environ}
    if "SLURM_JOB_END_TIME" in os.environ:
        known["limit"] = _stamp(float(os.environ["SLURM_JOB_END_TIME"]))
    return known


def _stamp(moment: float) -> str:
    return time.strftime(TIME_FORMAT, time.gmtime(moment))


def _append(run: Path, lines: list[dict[str, Any]]) -> None:
    with jsonl.Appender(run / ATTEMPTS) as file:
        file.append(lines)
