"""The tasks known by name. A new task is one file and one line here: its name and the module that holds its `TASK`.

Modules are imported when a task is asked for, so none costs anything to those who do not use it.
"""

from collections.abc import Iterable
from functools import cache
from importlib import import_module

from vlm_grpo.errors import UserError
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.base import Task

MODULES = {
    "vsr": "vsr.task",
    "synthetic_vsr": "synthetic_vsr",
    "digits": "digits.task",
    "counting": "counting.task",
    "cryptogram": "cryptogram.task",
    "jsonl": "jsonl.task",
    "detection": "detection.task",
    "masks": "masks.task",
    "gui": "gui.task",
    "rec": "rec.task",
    "rel3d": "rel3d.task",
    "spatialsense": "spatialsense.task",
    "driving": "driving.task",
    "aokvqa": "aokvqa.task",
    "synthetic_driving": "synthetic_driving",
}
"""Below `vlm_grpo.tasks`."""


@cache
def task_named(name: str) -> Task:
    """The task called `name`, which must be known."""
    task: Task = import_module(f"vlm_grpo.tasks.{MODULES[name]}").TASK
    assert task.name == name, f"{MODULES[name]} holds the task {task.name}, not {name}"
    return task


def task_of(row: Row, *, where: str = "") -> Task:
    """The task of `row`; `UserError` opened by `where` when there is none of that name."""
    if row.task not in MODULES:
        raise UserError(f"{where or f'row {row.id}'}: unknown task {row.task!r}; known: {', '.join(MODULES)}")
    return task_named(row.task)


def for_judge(rows: Iterable[Row]) -> list[Row]:
    """Those of `rows` of which only a judge can tell what is right."""
    return [row for row in rows if task_of(row).needs_judge(row)]


def check_solutions(rows: Iterable[Row], *, where: str) -> None:
    """`UserError` naming the first row of an unknown task, or whose solution is no answer of its task."""
    for row in rows:
        place = f"{where} row {row.id}"
        task_of(row, where=place).truth(row, where=place)
