"""A page of drawn answers: the true box, boxes or mask of a row, and beside it what every arm answered, on the picture.

Made of evaluations whose task can draw its answers (`Task.outlines`). Rows are drawn at random, not picked. Pictures
are in the file itself, texts are escaped, nothing is fetched.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from vlm_grpo.rows.pictures import open_picture
from vlm_grpo.rows.records import Row
from vlm_grpo.study.examples import data_uri
from vlm_grpo.tasks.base import Outcome
from vlm_grpo.tasks.outlines import Outline
from vlm_grpo.tasks.registry import task_of

FILE = "drawings.html"


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


def can_draw(rows: Sequence[Row]) -> bool:
    """Whether every row has a picture and a task that can draw its answers."""
    return all(row.images and task_of(row).outlines is not None for row in rows)


def render(
    rows: Sequence[Row],
    arms: Mapping[str, Mapping[str, Outcome]],
    *,
    root: Path,
    title: str,
    count: int = 24,
    seed: int = 0,
) -> str:
    """The page's HTML, of `count` of `rows` drawn at random.

    `arms` are the outcomes of each arm by row id, `root` is the folder of the pictures.
    """
    chosen = sorted(random.Random(seed).sample(range(len(rows)), min(count, len(rows))))
    environment = Environment(
        loader=PackageLoader("vlm_grpo.study"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    drawn = [_drawn(rows[i], arms, root) for i in chosen]
    return environment.get_template("drawings.html.jinja").render(
        title=title, drawn=drawn, arms=list(arms), seed=seed, of=len(rows)
    )


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
