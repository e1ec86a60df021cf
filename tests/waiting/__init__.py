"""Trainings that wait for their strike, so that a test need not hit a moment.

`python -m waiting.grpo` and `python -m waiting.sft` are the commands of `vlm_grpo.training`; at the beginning of each
optimiser step (from 1) in the environment variable WAIT_AT_STEPS, as in `3,8`, they wait until a signal has come. A
test strikes once step N - 1 is logged, and the run stops after step N, or is killed in it.
"""

from pathlib import Path

from vlm_grpo.store import jsonl

STEPS = "WAIT_AT_STEPS"


def last_step(run: Path) -> int:
    """The last step that `run` has logged."""
    return max((record["step"] for record in jsonl.read(run / "metrics.jsonl")), default=0)
