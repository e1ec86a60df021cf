"""Scores as a table for people: one line an arm, with the columns that its task adds."""

from collections.abc import Mapping, Sequence
from typing import Any

from vlm_grpo.tables import NOTHING, Table, estimate_cell
from vlm_grpo.tasks.base import Column
from vlm_grpo.tasks.registry import MODULES, task_named

NOTE = "Wilson intervals; an answer that cannot be read is not right; reasons: a thought that is not empty"


def arms_table(scores: Mapping[str, Mapping[str, Any]], *, title: str, name: str = "arm") -> Table:
    """The scores of each arm (name -> `scores.json`) in one table; shares are fractions. `name` heads the names."""
    columns = task_columns(scores.values())
    is_graded = any("mean_credit" in figures for figures in scores.values())
    return Table(
        title=title,
        header=(
            *(name, "n", "correct", "accuracy", "95 % interval"),
            *(("mean credit",) if is_graded else ()),
            "parsed",
            *(column.header for column in columns),
            *("reasons", "cut off"),
        ),
        rows=tuple(
            (
                arm,
                str(figures["n"]),
                str(figures["correct"]),
                f"{figures['accuracy']:.3f}",
                f"{figures['ci_low']:.3f} to {figures['ci_high']:.3f}",
                *((estimate_cell(figures.get("mean_credit")),) if is_graded else ()),
                f"{figures['parse_rate']:.3f}",
                *(_cell(figures.get(column.key), column) for column in columns),
                NOTHING if "reasoning_rate" not in figures else f"{figures['reasoning_rate']:.3f}",
                NOTHING if "clip_rate" not in figures else f"{figures['clip_rate']:.3f}",
            )
            for arm, figures in scores.items()
        ),
        notes=(NOTE,),
    )


def task_columns(scores: Any) -> Sequence[Column]:
    """The columns of the tasks that the arms answered; scores of earlier versions are VSR's."""
    names = dict.fromkeys(figures.get("task", "vsr") for figures in scores)
    return tuple(dict.fromkeys(column for name in names if name in MODULES for column in task_named(name).columns))


def _cell(value: Any, column: Column) -> str:
    return NOTHING if value is None else format(value, column.format)
