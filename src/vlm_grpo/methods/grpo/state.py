"""What GRPO keeps between two optimiser steps, as a file of a checkpoint.

With `steps_per_generation` above `gradient_accumulation_steps`, or `num_iterations` above 1, a checkpoint can fall
between two steps that learn from the same rollouts. TRL forgets those and generates others on resume.
"""

from pathlib import Path
from typing import Any

import torch


def _path(folder: Path, process: int) -> Path:
    return folder / f"grpo_state_{process}.pt"


def save(
    folder: Path, *, process: int, micro_step: int, rollouts: list[dict[str, Any]] | None, metrics: Any, **more: Any
) -> None:
    """Write this `process`'s `micro_step` (forward-backward passes so far), open `rollouts` and unlogged `metrics`.

    `more` are plain values by name.
    """
    state = {
        "micro_step": micro_step,
        "rollouts": rollouts,
        "metrics": {k: list(v) for k, v in metrics.items()},
        **more,
    }
    torch.save(state, _path(folder, process))


def load(folder: Path, *, process: int, device: torch.device) -> dict[str, Any]:
    """What `save` wrote, its tensors on `device`; nothing but tensors and plain values is unpickled."""
    state: dict[str, Any] = torch.load(_path(folder, process), map_location=device, weights_only=True)
    return state
