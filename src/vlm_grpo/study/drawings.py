"""A page of drawn answers: the true box, boxes or mask of a row, and beside it what every arm answered, on the picture.

Made of evaluations whose task can draw its answers (`Task.outlines`). Rows are drawn at random, not picked. Pictures
are in the file itself, texts are escaped, nothing is fetched. A report has a page of its own rows; a study's site has
one of the rows of all its reports (`Sheet`).
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from vlm_grpo.evaluation.arms import Arm
from vlm_grpo.rows.pictures import open_picture
from vlm_grpo.rows.records import Row
from vlm_grpo.study.examples import data_uri
from vlm_grpo.study.run_names import arm_of
from vlm_grpo.tasks.base import Outcome
from vlm_grpo.tasks.outlines import Outline
from vlm_grpo.tasks.registry import task_of

FILE = "drawings.html"
SHOWN = 24
"""Rows of a sheet."""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """Rows to draw answers to: the outcomes of each arm by row id, `root` is the folder of the pictures.

    `name` is the heading on a page of several.
    """

    rows: Sequence[Row]
    arms: Mapping[str, Mapping[str, Outcome]]
    root: Path
    name: str = ""


@dataclass(frozen=True)
class Panel:
    """One drawing: whose answer, what it is worth (empty for the truth), its outlines and the true ones."""

    title: str
    worth: str
    outlines: tuple[Outline, ...]


@dataclass(frozen=True)
class Drawn:
    """One row: its picture with width and height in pixels, the question, the truth, a panel an arm."""

    id: str
    problem: str
    picture: str
    width: int
    height: int
    truth: tuple[Outline, ...]
    panels: tuple[Panel, ...]


def can_draw(runs: Mapping[str, Arm]) -> bool:
    """Whether every row that `runs` were asked has a picture and a task that can draw its answers."""
    rows = next(iter(runs.values())).rows
    return all(row.images and task_of(row).outlines is not None for row in rows)


def sheet_of(runs: Mapping[str, Arm], *, name: str = "") -> Sheet:
    """The sheet of evaluations on the same rows, by run; an arm's first seed stands for it."""
    arms: dict[str, Arm] = {}
    for run, arm in runs.items():
        arms.setdefault(arm_of(run), arm)
    first = next(iter(arms.values()))
    answers = {arm_name: arm.outcomes for arm_name, arm in arms.items()}
    return Sheet(rows=first.rows, arms=answers, root=first.root, name=name)


def render(sheets: Sequence[Sheet], *, title: str, count: int = SHOWN, seed: int = 0, back: str = "") -> str:
    """The page's HTML, of `count` rows of each of `sheets` drawn at random; `back` is the page that it belongs to."""
    environment = Environment(
        loader=PackageLoader("vlm_grpo.study"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    drawn = [_sheet(sheet, count, seed) for sheet in sheets]
    most = max(len(sheet.arms) for sheet in sheets)
    return environment.get_template("drawings.html.jinja").render(
        title=title, sheets=drawn, most=most, seed=seed, back=back
    )


def _sheet(sheet: Sheet, count: int, seed: int) -> dict[str, Any]:
    chosen = sorted(random.Random(seed).sample(range(len(sheet.rows)), min(count, len(sheet.rows))))
    drawn = [_drawn(sheet.rows[i], sheet.arms, sheet.root) for i in chosen]
    return {"name": sheet.name, "drawn": drawn, "of": len(sheet.rows)}


def _drawn(row: Row, arms: Mapping[str, Mapping[str, Outcome]], root: Path) -> Drawn:
    task = task_of(row)
    picture = open_picture(root, row.images[0])
    width, height = picture.size
    panels = []
    for name, outcomes in arms.items():
        outcome = outcomes[row.id]
        worth = "unparsed" if outcome.said is None else f"{outcome.credit:.2f}"
        panels.append(Panel(name, worth, tuple(task.drawn(row, outcome))))
    truth = tuple(task.drawn(row))
    return Drawn(row.id, row.problem, data_uri(picture), width, height, truth, tuple(panels))
