"""Probes: what to watch in a task's completions while a model trains, whatever they earn.

A reward that is earned otherwise than it was meant rises like any other; what gives the hack away is a share of its
own, such as that of answers which no picture could have. A task names its probes (`Task.probes`); one that no task
has to name is watched in all of them.
"""

from collections.abc import Mapping, Sequence

from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.base import Probe
from vlm_grpo.tasks.blocks import reasons
from vlm_grpo.tasks.registry import task_of


def reasoned(completion: str, row: Row) -> bool:
    """Whether the completion still reasons, as evaluation's `reasoning_rate` counts."""
    return reasons(completion)


OF_ALL_TASKS: Mapping[str, Probe] = {"reasoned": reasoned}


def shares(completions: Sequence[str], rows: Sequence[Row]) -> dict[str, float]:
    """By probe, the share of `completions` that it sees, among those whose row's task has it; `rows` are theirs."""
    seen: dict[str, list[bool]] = {}
    for completion, row in zip(completions, rows, strict=True):
        for name, probe in {**OF_ALL_TASKS, **task_of(row).probes}.items():
            seen.setdefault(name, []).append(probe(completion, row))
    return {name: sum(values) / len(values) for name, values in seen.items()}
