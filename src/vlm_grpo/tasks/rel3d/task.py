"""The task `rel3d`: does a relation hold between two things of a rendered scene? (reference, section 5.1)

Rows come in pairs of almost the same scene, of which one is true: who guesses from names and relation has half of the
rows right and none of the pairs.
"""

from dataclasses import replace

from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.vsr import task as vsr

NAME = "rel3d"
PAIR = "pair"


def renamed(pairs: tuple[tuple[str, Row], ...], name: str) -> tuple[tuple[str, Row], ...]:
    """Completions with rows of the task `name`."""
    return tuple((completion, row.model_copy(update={"task": name})) for completion, row in pairs)


TASK = replace(
    vsr.TASK,
    name=NAME,
    pair=PAIR,
    gold=renamed(vsr.TASK.gold, NAME),
    hacks=renamed(vsr.TASK.hacks, NAME),
)
