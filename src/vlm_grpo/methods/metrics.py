"""What a run writes while it trains: metrics as JSONL, cut back to the checkpoint on resume."""

import json
import math
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from typing_extensions import override

from vlm_grpo.store import atomic, jsonl

METRICS = "metrics.jsonl"


class MetricsFile(TrainerCallback):
    """Append every log of the trainer to `metrics.jsonl`: one object a line with `step` and finite numbers.

    On resume, what an interrupted attempt logged beyond its last checkpoint is cut off first.
    """

    def __init__(self, run: Path) -> None:
        self._path = run / METRICS

    @override
    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if state.is_world_process_zero and self._path.exists():
            cut_after(self._path, state.global_step)

    @override
    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        if not state.is_world_process_zero or not logs or "train_runtime" in logs:
            return
        numbers = {k: v for k, v in logs.items() if isinstance(v, int | float) and math.isfinite(v)}
        with jsonl.Appender(self._path) as file:
            file.append([{"step": state.global_step, **numbers}])


def cut_after(path: Path, step: int) -> None:
    """Keep the records of `path` up to `step`."""
    kept = [record for record in jsonl.read(path) if record["step"] <= step]
    atomic.write_text(path, "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in kept))
