"""Write every rollout of GRPO to `completions.jsonl`: row, picture, text, rewards, advantage."""

import math
from pathlib import Path
from typing import Any

from vlm_grpo.methods.metrics import cut_after
from vlm_grpo.store import jsonl

COMPLETIONS = "completions.jsonl"


class CompletionsFile:
    """Append rollouts to `completions.jsonl`, one line each; only the main process writes."""

    def __init__(self, run: Path) -> None:
        self._path = run / COMPLETIONS

    def cut_after(self, step: int) -> None:
        """Drop what an interrupted attempt wrote beyond the checkpoint at `step`."""
        if self._path.exists():
            cut_after(self._path, step)

    def append(
        self,
        *,
        step: int,
        rows: list[dict[str, Any]],
        texts: list[str],
        rewards: dict[str, list[float]],
        advantages: list[float],
        turns: list[list[dict[str, Any]]] | None = None,
    ) -> None:
        """Write the rollouts made for optimiser step `step`; a NaN reward (cannot be scored) is written as null.

        `turns` are all turns of each completion where an environment answered the model, whose last is in `texts`.
        """
        with jsonl.Appender(self._path) as file:
            file.append(
                {
                    "step": step,
                    "row_id": row["id"],
                    "images": row["image_files"],
                    "text": text,
                    **({} if turns is None else {"turns": turns[i]}),
                    "rewards": {name: None if math.isnan(v[i]) else v[i] for name, v in rewards.items()},
                    "advantage": advantages[i],
                }
                for i, (row, text) in enumerate(zip(rows, texts, strict=True))
            )
