"""One statement as it was read from a data set's own files, and the row it makes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.statements.wording import Wording, problem

Box = list[float]
"""[x1, y1, x2, y2] by its edges, in pixels of the picture that the row shows."""


@dataclass(frozen=True)
class Shown:
    """The picture of a statement.

    Attributes:
        name: where it stands in the data set, relative to its root.
        content: hash of what is shown; two statements with the same one show the same picture.
        source: what it is called in the data set's own files.
        save: writes it to a place.
    """

    name: str
    content: str
    source: str
    save: Callable[[Path], None] = field(compare=False)


@dataclass(frozen=True, kw_only=True)
class Statement:
    """That `relation` holds between two things of a picture, which `holds` or not.

    Attributes:
        id: of its row.
        subject: name of the first thing as the files have it; `object` that of the second.
        subject_box: where the first is; None where the files state no area. `object_box` likewise.
        more: further columns of its row.
    """

    id: str
    split: str
    subject: str
    relation: str
    object: str
    holds: bool
    shown: Shown
    subject_box: Box | None
    object_box: Box | None
    more: Mapping[str, Any] = field(default_factory=dict)


def to_row(statement: Statement, *, task: str, wording: Wording, panels: bool) -> Row:
    """The row of `statement`; `relation`, `subj`, `obj` and `label` (0 or 1) are columns as in VSR."""
    return Row(
        id=statement.id,
        images=(statement.shown.name,),
        problem=problem(statement.subject, statement.relation, statement.object, wording=wording, panels=panels),
        solution=f"<answer> {statement.holds} </answer>",
        task=task,
        meta={
            "relation": statement.relation,
            "subj": statement.subject,
            "obj": statement.object,
            "label": int(statement.holds),
            "image_id": statement.shown.source,
            "subject_box": statement.subject_box,
            "object_box": statement.object_box,
            **statement.more,
        },
    )
