"""Write every rollout of GRPO to `completions.jsonl`: row, picture, text, rewards, advantage.

Where answers lie in a picture, the model's view of it too: without it nobody can tell where a box was meant.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlm_grpo.methods.metrics import cut_after
from vlm_grpo.rewards.base import ROW, VIEW
from vlm_grpo.rows.records import Row
from vlm_grpo.store import jsonl
from vlm_grpo.tasks.registry import task_of

COMPLETIONS = "completions.jsonl"


@dataclass
class Rollouts:
    """The completions of one generation, of all processes, in whole groups.

    Attributes:
        texts: what was said, in the last turn where an environment answers the model.
        rewards: by reward's name; NaN where one cannot be scored.
        advantages: as TRL computes them.
        shaped: what is learnt from in their place; None where they are.
        clipped: whether each was cut off, without an end token.
        turns: all turns of each completion where an environment answers the model, as `conversation.spoken` has them.
    """

    texts: list[str]
    rewards: dict[str, list[float]]
    advantages: list[float]
    clipped: list[bool]
    shaped: list[float] | None = None
    turns: list[list[dict[str, Any]]] | None = None


class CompletionsFile:
    """Append rollouts to `completions.jsonl`, one line each; only the main process writes."""

    def __init__(self, run: Path) -> None:
        self._path = run / COMPLETIONS

    def cut_after(self, step: int) -> None:
        """Drop what an interrupted attempt wrote beyond the checkpoint at `step`."""
        if self._path.exists():
            cut_after(self._path, step)

    def append(self, *, step: int, rows: list[dict[str, Any]], rollouts: Rollouts) -> None:
        """Write the `rollouts` made for optimiser step `step`; a NaN reward (cannot be scored) is written as null."""
        with jsonl.Appender(self._path) as file:
            file.append(
                {
                    "step": step,
                    "row_id": row["id"],
                    "images": row["image_files"],
                    "text": text,
                    **_view(row),
                    **({} if rollouts.turns is None else {"turns": rollouts.turns[i]}),
                    "rewards": {name: None if math.isnan(v[i]) else v[i] for name, v in rollouts.rewards.items()},
                    "advantage": rollouts.advantages[i],
                    "clipped": rollouts.clipped[i],
                    **({} if rollouts.shaped is None else {"shaped_advantage": rollouts.shaped[i]}),
                }
                for i, (row, text) in enumerate(zip(rows, rollouts.texts, strict=True))
            )


def _view(row: dict[str, Any]) -> dict[str, Any]:
    is_drawn = task_of(Row.model_validate_json(row[ROW])).outlines is not None
    return {"view": json.loads(row[VIEW])} if is_drawn else {}
