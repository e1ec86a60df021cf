"""The columns of Visual Spatial Reasoning (VSR) and the question the study makes of them.

Shared by the real data set (`tasks.vsr`) and the synthetic one (`embedded.synthetic_vsr`), so that a model trained
on one can be asked about the other. Where pictures come from is left to them.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from vlm_grpo.rows.records import Row

NAME = "vsr"
STATEMENT = "Is the following statement true: {caption}"


class VsrRecord(BaseModel):
    """One caption about one picture; `label` is 1 where the caption is true of it, 0 where it is false.

    `image_path` is relative to the data set's root; `image_link` is the address that the picture came from, if any.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    image_path: str = Field(min_length=1)
    caption: str = Field(min_length=1)
    label: Literal[0, 1]
    relation: str = Field(min_length=1)
    subj: str = Field(min_length=1)
    obj: str = Field(min_length=1)
    image_link: str | None = None


def to_row(record: VsrRecord, *, id: str, task: str = NAME) -> Row:
    """The study's question and answer (reference, section 1.2); VSR's own columns stay beside them."""
    return Row(
        id=id,
        images=(record.image_path,),
        problem=STATEMENT.format(caption=record.caption),
        solution=f"<answer> {bool(record.label)} </answer>",
        task=task,
        meta=record.model_dump(exclude_none=True),
    )
