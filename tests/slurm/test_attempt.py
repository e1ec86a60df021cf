"""`slurm/attempt.sh` with real processes and signals; `scontrol` is a script that answers as Slurm does."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCONTROL = """#!/bin/bash
echo "$*" >>"$CALLS"
if [[ $1 == show ]]; then
    echo "JobId=7 JobName=x JobState=$STATE Reason=$REASON EndTime=2030-01-01T00:00:00 Dependency=(null)"
fi
"""
# Saves a checkpoint when it is signalled, as a training run does.
TRAINING = """
save() { mkdir -p "$FOLDER/checkpoint-$1"; touch "$FOLDER/checkpoint-$1/complete.json"; exit 85; }
trap 'save 12' USR1 TERM
touch "$READY"
while true; do sleep 0.05; done
"""
STUBBORN = "trap '' USR1 TERM; touch \"$READY\"; sleep 1; exit 0"


class Attempt:
    """One call of the script for `COMMAND`, a bash text."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.calls, self.ready = folder / "run", folder / "calls", folder / "ready"
        self.log = folder / "logs" / "attempt-{attempt}.log"
        program = folder / "bin" / "scontrol"
        program.parent.mkdir()
        program.write_text(SCONTROL)
        program.chmod(0o755)
        self.calls.touch()
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "VLM_GRPO_", "WANDB_"))}
        self.variables = inherited | {
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "CALLS": str(self.calls),
            "STATE": "RUNNING",
            "REASON": "None",
            "FOLDER": str(self.folder),
            "READY": str(self.ready),
            "SLURM_JOB_ID": "7",
        }

    def checkpoint(self, step: int, *, complete: bool = True) -> None:
        folder = self.folder / f"checkpoint-{step}"
        folder.mkdir(parents=True)
        if complete:
            (folder / "complete.json").touch()

    def run(self, command: str, *signals: signal.Signals, **variables: str | None) -> tuple[int, str]:
        """Send `signals` once the command is up; return the exit code and what was printed."""
        environment = {k: v for k, v in (self.variables | variables).items() if v is not None}
        words = ["bash", str(ROOT / "slurm/attempt.sh"), str(self.log), str(self.folder), "bash", "-c", command]
        process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        while signals and process.poll() is None and not self.ready.exists():
            time.sleep(0.02)
        for number in signals:
            process.send_signal(number)
        output, _ = process.communicate(timeout=60)
        return process.returncode, output

    def requeued(self) -> bool:
        return "requeue 7\n" in self.calls.read_text()


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    return Attempt(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM])
def test_a_signal_reaches_the_command_and_progress_is_requeued(attempt, number):
    attempt.checkpoint(8)
    code, output = attempt.run(TRAINING, number)
    assert code == 85
    assert attempt.requeued()
    assert "stopped at 12: requeueing job 7 (restart 1 of at most 20)" in output


def test_a_signal_that_comes_with_the_start_is_passed_on(attempt):
    """The command sends it, before or after the script knows the command's process."""
    for _ in range(10):
        code, output = attempt.run("kill -s USR1 $PPID; exec sleep 60")
        assert code == 128 + signal.SIGUSR1
        assert "without progress" in output


def test_without_progress_it_is_not_requeued(attempt):
    attempt.checkpoint(12)
    attempt.checkpoint(30, complete=False)
    code, output = attempt.run(TRAINING, signal.SIGUSR1)
    assert code == 85
    assert not attempt.requeued()
    assert "without progress (at 12 when this attempt began, at 12 now)" in output


def test_steps_are_compared_as_numbers(attempt):
    attempt.checkpoint(9)
    attempt.run(TRAINING, signal.SIGUSR1)
    assert attempt.requeued()


@pytest.mark.parametrize(
    "cap,restarts,requeued", [(None, 19, True), (None, 20, False), ("2", 1, True), ("0", 0, False)]
)
def test_restarts_are_capped(attempt, cap, restarts, requeued):
    code, output = attempt.run(
        TRAINING, signal.SIGUSR1, VLM_GRPO_MAX_RESTARTS=cap, SLURM_RESTART_COUNT=str(restarts) if restarts else None
    )
    assert code == 85
    assert attempt.requeued() == requeued
    assert requeued or f"after {restarts} restarts (VLM_GRPO_MAX_RESTARTS)" in output


@pytest.mark.parametrize(
    "state,reason,requeued",
    [
        ("COMPLETING", "None", False),
        ("CANCELLED", "None", False),
        ("COMPLETING", "TimeLimit", True),
        ("TIMEOUT", "TimeLimit", True),
        ("PREEMPTED", "None", True),
    ],
)
def test_a_cancelled_job_is_not_requeued_and_one_at_its_limit_is(attempt, state, reason, requeued):
    _, output = attempt.run(TRAINING, signal.SIGTERM, STATE=state, REASON=reason)
    assert attempt.requeued() == requeued
    assert requeued or "job 7 was cancelled" in output


def test_a_command_killed_by_the_signal_is_requeued_for_what_it_saved_before(attempt):
    command = 'mkdir -p "$FOLDER"; echo one >"$FOLDER/generations.jsonl"; touch "$READY"; exec sleep 60'
    code, _ = attempt.run(command, signal.SIGUSR1)
    assert code == 128 + signal.SIGUSR1
    assert attempt.requeued()


@pytest.mark.parametrize("command,code", [("exit 0", 0), ("exit 2", 2), ("kill -SEGV $$", 139)])
def test_what_ends_by_itself_is_not_requeued(attempt, command, code):
    assert attempt.run(command)[0] == code
    assert not attempt.requeued()


def test_a_command_that_finishes_in_spite_of_signals_is_done(attempt):
    code, _ = attempt.run(STUBBORN, signal.SIGUSR1, signal.SIGTERM, signal.SIGUSR1)
    assert code == 0
    assert not attempt.requeued()


def test_outside_slurm_the_code_is_passed_on(attempt):
    code, output = attempt.run(TRAINING, signal.SIGTERM, SLURM_JOB_ID=None)
    assert code == 85
    assert "the same command goes on" in output
    assert not attempt.calls.read_text()


def test_each_attempt_has_a_log(attempt):
    attempt.run("echo first", SLURM_RESTART_COUNT=None)
    attempt.run("echo second >&2", SLURM_RESTART_COUNT="1")
    first, second = (Path(str(attempt.log).format(attempt=n)).read_text() for n in (1, 2))
    assert first.splitlines()[1:] == ["first"]
    assert second.splitlines()[1:] == ["second"]
    assert second.startswith("== attempt 2: job 7")


def test_the_command_learns_its_limit(attempt):
    _, output = attempt.run('echo "until $SLURM_JOB_END_TIME"', TZ="UTC")
    assert "until 1893456000\n" in output


def test_a_wrong_cap_is_one_line_and_code_2(attempt):
    code, output = attempt.run("exit 0", VLM_GRPO_MAX_RESTARTS="many")
    assert code == 2
    assert output.splitlines() == ["error: VLM_GRPO_MAX_RESTARTS is 'many': give a number of restarts"]
