"""Scores as a table for people: one line an arm, with the columns that its task adds."""

from collections.abc import Mapping, Sequence
from typing import Any

from vlm_grpo.evaluation.scores import NO_VALUE, PAIRS
from vlm_grpo.tables import NOTHING, Table, estimate_cell
from vlm_grpo.tasks.base import Column, Task
from vlm_grpo.tasks.registry import MODULES, task_named

FEW = 30
"""Slices of more values stand in `scores.json` only."""
NOTE = "Wilson intervals; an answer that cannot be read is not right; reasons: a thought that is not empty"
PAIRS_NOTE = "pairs right: both rows of a pair right, of the pairs asked whole; guessing earns a quarter, one word none"
CONTROL_NOTE = "blank, other pictures: accuracy without the row's own picture; p: exact McNemar test on the same rows"


def arms_table(scores: Mapping[str, Mapping[str, Any]], *, title: str, name: str = "arm") -> Table:
    """The scores of each arm (name -> `scores.json`) in one table; shares are fractions. `name` heads the names."""
    columns = task_columns(scores.values())
    controls = list(dict.fromkeys(control for figures in scores.values() for control in figures.get("controls", ())))
    published = (task.published for task in _tasks(scores.values()) if task.published)
    told = (note for figures in scores.values() for task in _tasks([figures]) for note in task.notes(figures))
    is_graded = any("mean_credit" in figures for figures in scores.values())
    is_paired = any(PAIRS in figures for figures in scores.values())
    return Table(
        title=title,
        header=(
            *(name, "n", "correct", "accuracy", "95 % interval"),
            *(("mean credit",) if is_graded else ()),
            *(("pairs right",) if is_paired else ()),
            *(f"{control} pictures" for control in controls),
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
                *((_pairs(figures.get(PAIRS)),) if is_paired else ()),
                *(_control(figures.get("controls", {}).get(control)) for control in controls),
                f"{figures['parse_rate']:.3f}",
                *(_cell(figures.get(column.key), column) for column in columns),
                NOTHING if "reasoning_rate" not in figures else f"{figures['reasoning_rate']:.3f}",
                NOTHING if "clip_rate" not in figures else f"{figures['clip_rate']:.3f}",
            )
            for arm, figures in scores.items()
        ),
        notes=(
            NOTE,
            *((PAIRS_NOTE,) if is_paired else ()),
            *((CONTROL_NOTE,) if controls else ()),
            *dict.fromkeys(told),
            *published,
        ),
    )


def turns_table(scores: Mapping[str, Any]) -> list[Table]:
    """What an environment's turns came to, where one answered the model."""
    turns = scores.get("environment")
    if turns is None:
        return []
    header, row, notes = ["environment", "turns", "format of all"], [turns["name"]], ["format: mean over a row's turns"]
    row += [f"{turns['turns']:.2f}", f"{turns['format']:.3f}"]
    if "first" in turns:
        header += ["first answer right", "last answer right", "right at first only", "at last only"]
        row += [f"{turns['first']['accuracy']:.3f}", f"{scores['accuracy']:.3f}", str(turns["b"]), str(turns["c"])]
        notes += [f"first and last answers: exact McNemar test p {turns['mcnemar_p']:.2g}"]
    return [Table(title="Turns", header=tuple(header), rows=(tuple(row),), notes=tuple(notes))]


def slices_tables(scores: Mapping[str, Any]) -> list[Table]:
    """Accuracy by each column that the task slices its rows by, with n and interval; not for many values, or none."""
    task = scores.get("task", "vsr")
    names = task_named(task).slices if task in MODULES else {}
    return [
        Table(
            title=f"Accuracy by {name}",
            header=(column, "n", "correct", "accuracy", "95 % interval"),
            rows=tuple(
                (
                    value,
                    str(share["n"]),
                    str(share["correct"]),
                    f"{share['accuracy']:.3f}",
                    f"{share['ci_low']:.3f} to {share['ci_high']:.3f}",
                )
                for value, share in scores[name].items()
            ),
            notes=_mean_over(scores[name]),
        )
        for name, column in names.items()
        if len(scores[name]) <= FEW and scores[name].keys() != {NO_VALUE}
    ]


def _mean_over(shares: Mapping[str, Any]) -> tuple[str, ...]:
    """The accuracy in which each value counts as much, as SpatialSense's authors report it."""
    if len(shares) < 2:
        return ()
    mean = sum(share["accuracy"] for share in shares.values()) / len(shares)
    return (f"mean over the {len(shares)} values: {mean:.3f}",)


def task_columns(scores: Any) -> Sequence[Column]:
    """The columns of the tasks that the arms answered."""
    return tuple(dict.fromkeys(column for task in _tasks(scores) for column in task.columns))


def _tasks(scores: Any) -> list[Task]:
    """The tasks that the arms answered; scores of earlier versions are VSR's."""
    names = dict.fromkeys(figures.get("task", "vsr") for figures in scores)
    return [task_named(name) for name in names if name in MODULES]


def _cell(value: Any, column: Column) -> str:
    return NOTHING if value is None else format(value, column.format)


def _pairs(share: Mapping[str, Any] | None) -> str:
    if share is None:
        return NOTHING
    return f"{share['correct']} of {share['n']}: {estimate_cell({**share, 'value': share['accuracy']})}"


def _control(compared: Mapping[str, Any] | None) -> str:
    return NOTHING if compared is None else f"{compared['accuracy']:.3f} (p {compared['mcnemar_p']:.2g})"
