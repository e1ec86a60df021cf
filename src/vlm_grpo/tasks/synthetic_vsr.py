"""The task `synthetic_vsr`: VSR's question about rendered scenes (`vlm_grpo.embedded.synthetic_vsr` builds them)."""

from dataclasses import replace

from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.vsr import task as vsr

NAME = "synthetic_vsr"


def _renamed(pairs: tuple[tuple[str, Row], ...]) -> tuple[tuple[str, Row], ...]:
    return tuple((completion, row.model_copy(update={"task": NAME})) for completion, row in pairs)


TASK = replace(vsr.TASK, name=NAME, gold=_renamed(vsr.TASK.gold), hacks=_renamed(vsr.TASK.hacks))
