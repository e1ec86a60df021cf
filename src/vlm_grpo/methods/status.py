"""Where a training run stands: `python -m vlm_grpo.training.status RUN_DIR [RUN_DIR ...] [--json]`.

Reads what the run writes (attempts, metrics, checkpoints, manifest), so it works while the run goes on and from any
machine that sees the folder. The time left is what Slurm told the job at its start; `unknown` outside Slurm.
"""

import argparse
import calendar
import json
import time
from pathlib import Path
from typing import Any

from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.methods.resume import attempts, checkpoints
from vlm_grpo.paths import user_path
from vlm_grpo.store import jsonl, manifest


def status(run: Path) -> dict[str, Any]:
    """State, attempt, step, last complete checkpoint and seconds to the limit of `run`; `UserError` if it is none."""
    if not (run / manifest.IDENTITY).exists():
        raise UserError(f"{run} is not a training run (no {manifest.IDENTITY}); give the run's output_dir")
    lines = attempts.read(run)
    starts = [line for line in lines if line["event"] == attempts.STARTED]
    last = lines[-1]["event"] if lines else None
    kept = checkpoints.find(run)
    logged = jsonl.read(run / "metrics.jsonl")
    return {
        "run": str(run),
        "state": "done" if manifest.exists(run) else _STATES[last],
        "attempt": len(starts),
        "step": max([kept.step, *(m["step"] for m in logged[-1:])]),
        "max_steps": starts[-1]["max_steps"] if starts else None,
        "last_complete_checkpoint": kept.newest.name if kept.newest else None,
        "skipped": {path.name: flaw for path, flaw in kept.skipped},
        "job": starts[-1].get("job") if starts else None,
        "seconds_to_limit": _left(starts[-1]) if last == attempts.STARTED else None,
    }


_STATES = {
    None: "not started",
    attempts.STARTED: "running or killed",
    attempts.LOST: "killed, to be continued",
    attempts.STOPPED: "stopped, to be continued",
    attempts.DIVERGED: "died: not finite",
    attempts.DONE: "finishing",
}


def _left(start: dict[str, Any]) -> float | None:
    if "limit" not in start:
        return None
    return calendar.timegm(time.strptime(start["limit"], attempts.TIME_FORMAT)) - time.time()


def _show(report: dict[str, Any]) -> str:
    left = report["seconds_to_limit"]
    limit = "unknown" if left is None else "passed" if left < 0 else f"{left // 3600:.0f} h {left % 3600 // 60:.0f} min"
    lines = [
        report["run"],
        f"  state        {report['state']}",
        f"  attempt      {report['attempt']}" + (f" (job {report['job']})" if report["job"] else ""),
        f"  step         {report['step']} of {report['max_steps'] or 'unknown'}",
        f"  checkpoint   {report['last_complete_checkpoint'] or 'none yet'}",
        f"  time left    {limit}",
    ]
    return "\n".join(lines + [f"  skipped      {name}: {flaw}" for name, flaw in report["skipped"].items()])


@exits_cleanly
def main(argv: list[str] | None = None) -> None:
    """Print the status of each run."""
    summary = (__doc__ or "").split(":", 1)[0]
    parser = argparse.ArgumentParser(prog="python -m vlm_grpo.training.status", description=summary)
    parser.add_argument("runs", nargs="+", type=user_path, metavar="RUN_DIR", help="output_dir of a training run")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of text")
    arguments = parser.parse_args(argv)
    for run in arguments.runs:
        report = status(run)
        print(json.dumps(report) if arguments.json else _show(report))
