"""The columns of rows whose answer is a set of letters and whose reasoning may name boxes, and what is asked of them.

DrivingVQA's rows, A-OKVQA's and rendered ones share these. Boxes are `[x1, y1, x2, y2]` by their edges, in pixels of
the picture as its file is (upright); a model is told its own frame, and taught in it.
"""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.answers.letters import write

NAME, AOKVQA, SYNTHETIC = "driving", "aokvqa", "synthetic_driving"
TASKS = (NAME, AOKVQA, SYNTHETIC)
BoxWording = Literal["bbox", "original"]
"""Whether the reasoning is asked to name boxes, or none: the study's two wordings (reference, section 4)."""
SECOND_FROM = "C"
"""Of two questions about one picture, the options A and B are the first one's and the others the second's."""


class Entity(BaseModel):
    """A thing that the right reasoning relies on; of two things with one label there are two entities."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str = Field(min_length=1)
    bbox_2d: tuple[float, float, float, float]


class DrivingRecord(BaseModel):
    """One item.

    Attributes:
        image_path: relative to the data set's root.
        width, height: of the picture, in pixels.
        questions: one or, of an exam's item, two, which both have to be right.
        letters, options: what is on offer, in order.
        right: the letters of the right options, at least one.
        entities: what the reasoning relies on, in pixels; None where nobody annotated it.
        explanation: the right reasoning in words; None where there is none.
        explanation_boxes: the same with boxes `[x1,y1,x2,y2 label]` in whole pixels; None where nobody put them there.
        boxes: whether the model is asked for, and taught, boxes.
        exam: whose licence the exam is for, where the source says it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    image_path: str = Field(min_length=1)
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    questions: tuple[str, ...] = Field(min_length=1, max_length=2)
    letters: tuple[str, ...] = Field(min_length=2)
    options: tuple[str, ...]
    right: tuple[str, ...] = Field(min_length=1)
    entities: tuple[Entity, ...] | None = None
    explanation: str | None = None
    explanation_boxes: str | None = None
    boxes: BoxWording = "bbox"
    exam: str | None = None

    @model_validator(mode="after")
    def _fits(self) -> "DrivingRecord":
        if len(self.letters) != len(self.options) or len(set(self.letters)) != len(self.letters):
            raise ValueError("expected one letter of its own for each option")
        if foreign := set(self.right) - set(self.letters):
            raise ValueError(f"right letter {min(foreign)} is no option")
        for letters in self.by_question():
            if not letters:
                raise ValueError("expected options A and B for the first question and others for the second")
        return self

    def by_question(self) -> list[list[str]]:
        """The letters on offer for each question."""
        if len(self.questions) == 1:
            return [list(self.letters)]
        return [[n for n in self.letters if n < SECOND_FROM], [n for n in self.letters if n >= SECOND_FROM]]

    @property
    def problem(self) -> str:
        """What the model is asked."""
        texts = dict(zip(self.letters, self.options, strict=True))
        asked = [
            f"{question}\n" + "\n".join(f"({letter}) {texts[letter]}" for letter in letters)
            for question, letters in zip(self.questions, self.by_question(), strict=True)
        ]
        context = f"You drive a {self.exam} in France. " if self.exam else ""
        both = " of both questions" if len(self.questions) == 2 else ""
        return f"{context}Select every right option{both}.\n" + "\n".join(asked) + "\n"


def to_row(record: DrivingRecord, *, id: str, task: str = NAME) -> Row:
    """The row of `record`; its columns keep the record's names, `entities` as `{bbox_2d, label}`."""
    meta: dict[str, Any] = record.model_dump(mode="json", exclude={"image_path", "right", "questions"})
    meta |= {"questions": len(record.questions), "right": len(record.right)}
    return Row(
        id=id,
        images=(record.image_path,),
        problem=record.problem,
        solution=write(sorted(record.right)),
        task=task,
        meta=meta,
    )


def entities_of(row: Row) -> Sequence[dict[str, Any]] | None:
    """The row's true boxes, `bbox_2d` and `label` each, in pixels; None where it has no such annotation."""
    entities: Sequence[dict[str, Any]] | None = row.meta.get("entities")
    return entities
