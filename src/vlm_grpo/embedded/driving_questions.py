"""What is asked about a driving scene: which of three or four things are on the left, or far away? One or two are.

Rows have the columns of the task `driving`, with boxes in pixels of the picture. Two explanations lead to an answer: a
thorough one looks up every option and names its box, a terse one says nothing of use.
"""

import random
from dataclasses import dataclass
from typing import Literal, get_args

from vlm_grpo.embedded.driving_scenes import SIDE, DrivingScene, Thing, draw_scene
from vlm_grpo.embedded.scenes import SIZE
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.asking import question as asked_of
from vlm_grpo.tasks.driving.columns import SYNTHETIC, DrivingRecord, Entity, to_row
from vlm_grpo.tasks.driving.spelling import spelled
from vlm_grpo.tasks.view import View

Kind = Literal["left", "far"]
KINDS: tuple[Kind, ...] = get_args(Kind)
QUESTIONS: dict[Kind, str] = {
    "left": "Which of these are on the left?",
    "far": "Which of these are far away?",
}
LETTERS = "ABCD"
TERSE = "One look is enough."
TERSE_SHARES: dict[Kind, float] = {"left": 0.2, "far": 0.7}
"""How often the explanation of a row is terse."""
VIEW = View(frame="resized_pixels", sizes=((SIDE, SIDE),), shown=((SIZE, SIZE),))
"""How the model sees every picture."""


@dataclass(frozen=True)
class DrivingQuestion:
    """A question of `kind` about `scene`: the things that are its `options`, and whether its explanation is terse."""

    scene: DrivingScene
    kind: Kind
    options: tuple[Thing, ...]
    is_terse: bool

    @property
    def letters(self) -> tuple[str, ...]:
        """The letters on offer."""
        return tuple(LETTERS[: len(self.options)])

    @property
    def right(self) -> tuple[str, ...]:
        """The letters of the right options."""
        return tuple(name for name, thing in zip(self.letters, self.options, strict=True) if self.is_right(thing))

    def is_right(self, thing: Thing) -> bool:
        """Whether the option `thing` is right."""
        return self.kind == self.place(thing)

    def place(self, thing: Thing) -> str:
        """Where `thing` is, in the question's terms."""
        return thing.side if self.kind == "left" else thing.distance


def draw_question(rng: random.Random, *, pool: str) -> DrivingQuestion:
    """A question about a scene of `pool`, with one or two right options out of three or four."""
    kind, right, options = rng.choice(KINDS), rng.choice((1, 2)), rng.choice((3, 4))
    is_terse = rng.random() < TERSE_SHARES[kind]
    while True:
        scene = draw_scene(rng, pool=pool)
        chosen = tuple(rng.sample(scene.things, min(options, len(scene.things))))
        question = DrivingQuestion(scene, kind, chosen, is_terse)
        if len(chosen) == options and len(question.right) == right:
            return question


def thorough(question: DrivingQuestion, *, boxes: bool) -> str:
    """Every option looked up, and its letter again where it is right."""
    return " ".join(
        f"({letter}) {thing.name}{f' {spelled(thing.box, thing.name)}' if boxes else ''}: {question.place(thing)}, "
        f"{f'so {letter}' if question.is_right(thing) else 'no'}."
        for letter, thing in zip(question.letters, question.options, strict=True)
    )


def as_row(name: str, question: DrivingQuestion) -> Row:
    """The row of `question`, whose picture is `images/{name}.png`."""
    record = DrivingRecord(
        image_path=f"images/{name}.png",
        width=SIDE,
        height=SIDE,
        questions=(QUESTIONS[question.kind],),
        letters=question.letters,
        options=tuple(thing.name for thing in question.options),
        right=question.right,
        entities=tuple(Entity(label=thing.name, bbox_2d=thing.box) for thing in question.options),
        explanation=TERSE if question.is_terse else thorough(question, boxes=False),
        explanation_boxes=TERSE if question.is_terse else thorough(question, boxes=True),
    )
    row = to_row(record, id=f"driving/{name}", task=SYNTHETIC)
    return row.model_copy(update={"meta": {**row.meta, "kind": question.kind, "terse": question.is_terse}})


def prompt_of(row: Row) -> str:
    """What the model is asked, with the study's prompt."""
    return asked_of(row, template="reason", view=VIEW)
