"""A page of example completions: each question with its picture and what every arm said, in one HTML file.

Examples are drawn, not picked: some at random, then some among the rows on which the arms do not agree; the page says
which is which. Pictures are in the file itself, texts are escaped, nothing is fetched.
"""

import base64
import io
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from vlm_grpo.evaluation.arms import Arm
from vlm_grpo.rows.pictures import open_picture
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.registry import task_of

LONGEST_SIDE = 320
_TAG = re.compile(r"(</?(?:think|answer)>)")


@dataclass(frozen=True)
class Said:
    """What one arm said: pieces of text, each with whether it is a tag, the answer read and whether it is right."""

    arm: str
    pieces: tuple[tuple[bool, str], ...]
    answer: str
    verdict: str
    clipped: bool


@dataclass(frozen=True)
class Example:
    """One question: pictures as data URIs, the true answer, what its task sorts it by, and what the arms said."""

    id: str
    pictures: tuple[str, ...]
    problem: str
    solution: str
    details: tuple[tuple[str, str], ...]
    said: tuple[Said, ...]


def draw(arms: Mapping[str, Arm], *, count: int, seed: int) -> tuple[list[Row], list[Row]]:
    """`count` rows at random, and up to `count` others on which the arms do not agree, both in the split's order."""
    rows = next(iter(arms.values())).rows
    rng = random.Random(seed)
    anywhere = set(rng.sample(range(len(rows)), min(count, len(rows))))
    disputed = [
        i
        for i, row in enumerate(rows)
        if i not in anywhere and len({arm.outcomes[row.id].right for arm in arms.values()}) > 1
    ]
    chosen = set(rng.sample(disputed, min(count, len(disputed))))
    return [rows[i] for i in sorted(anywhere)], [rows[i] for i in sorted(chosen)]


def render(arms: Mapping[str, Arm], *, title: str, count: int = 12, seed: int = 0) -> str:
    """The page's HTML."""
    anywhere, disputed = draw(arms, count=count, seed=seed)
    environment = Environment(
        loader=PackageLoader("vlm_grpo.study"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    groups = [
        (f"{len(anywhere)} rows drawn at random (seed {seed})", [_example(row, arms) for row in anywhere]),
        (f"{len(disputed)} more on which the arms do not agree", [_example(row, arms) for row in disputed]),
    ]
    template = environment.get_template("examples.html.jinja")
    return template.render(title=title, groups=[group for group in groups if group[1]], arms=list(arms))


def _example(row: Row, arms: Mapping[str, Arm]) -> Example:
    arm = next(iter(arms.values()))
    return Example(
        id=row.id,
        pictures=tuple(data_uri(open_picture(arm.root, name)) for name in row.images),
        problem=row.problem,
        solution=_written(arm.outcomes[row.id].truth, row),
        details=tuple(
            (column, str(row.meta[column])) for column in task_of(row).slices.values() if row.meta.get(column)
        ),
        said=tuple(_said(name, arm, row) for name, arm in arms.items()),
    )


def _said(name: str, arm: Arm, row: Row) -> Said:
    generation, outcome = arm.generations[row.id], arm.outcomes[row.id]
    return Said(
        arm=name,
        pieces=tuple((bool(_TAG.fullmatch(piece)), piece) for piece in _TAG.split(generation.text) if piece),
        answer="unparsed" if outcome.said is None else _written(outcome.said, row),
        verdict="unparsed" if outcome.said is None else "right" if outcome.right else "wrong",
        clipped=generation.finish_reason == "length",
    )


def _written(value: Any, row: Row) -> str:
    return task_of(row).answer(row).write(value)


def data_uri(picture: Image.Image) -> str:
    """`picture`, made smaller where it is large, as the text that a page shows it by."""
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    stored = io.BytesIO()
    picture.save(stored, "PNG") if max(picture.size) < LONGEST_SIDE else picture.save(stored, "JPEG", quality=85)
    kind = "png" if stored.getvalue().startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(stored.getvalue()).decode()}"
