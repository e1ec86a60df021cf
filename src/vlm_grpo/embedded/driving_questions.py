"""What is asked about a driving scene: which of three or four things are there, or on one side? One or two are.

Rows have the columns of the task `driving`, with boxes in pixels of the picture. Two explanations lead to an answer: a
thorough one looks up every option and names its box, a terse one says nothing of use.
"""

import random
from dataclasses import dataclass
from typing import Literal, get_args

from vlm_grpo.embedded.driving_scenes import NAMES, SIDE, DrivingScene, Thing, draw_scene
from vlm_grpo.embedded.scenes import SIZE
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.asking import question as asked_of
from vlm_grpo.tasks.driving.columns import SYNTHETIC, DrivingRecord, Entity, to_row
from vlm_grpo.tasks.driving.spelling import spelled
from vlm_grpo.tasks.view import View

Kind = Literal["see", "left", "right"]
KINDS: tuple[Kind, ...] = get_args(Kind)
QUESTIONS: dict[Kind, str] = {
    "see": "Which of these do you see?",
    "left": "Which of these are on the left?",
    "right": "Which of these are on the right?",
}
SHARES: dict[Kind, float] = {"see": 0.5, "left": 0.25, "right": 0.25}
LETTERS = "ABCD"
TERSE = "One look is enough."
TERSE_SHARES: dict[Kind, float] = {"see": 0.75, "left": 0.2, "right": 0.2}
"""How often the explanation of a row is terse."""
VIEW = View(frame="resized_pixels", sizes=((SIDE, SIDE),), shown=((SIZE, SIZE),))
"""How the model sees every picture."""


@dataclass(frozen=True)
class DrivingQuestion:
    """A question about `scene`: its kind, the names of its options, and whether its explanation is terse."""

    scene: DrivingScene
    kind: Kind
    options: tuple[str, ...]
    is_terse: bool

    @property
    def letters(self) -> tuple[str, ...]:
        """The letters on offer."""
        return tuple(LETTERS[: len(self.options)])

    @property
    def right(self) -> tuple[str, ...]:
        """The letters of the right options."""
        named = zip(self.letters, self.options, strict=True)
        return tuple(letter for letter, name in named if self.is_right(name))

    def thing(self, name: str) -> Thing | None:
        """What the scene shows under `name`."""
        return next((thing for thing in self.scene.things if thing.name == name), None)

    def is_right(self, name: str) -> bool:
        """Whether the option `name` is right."""
        thing = self.thing(name)
        return thing is not None and self.kind in ("see", thing.side)

    @property
    def relied_on(self) -> tuple[Thing, ...]:
        """What has to be found to answer: the options that are there."""
        return tuple(thing for thing in map(self.thing, self.options) if thing is not None)


def draw_question(rng: random.Random, *, pool: str) -> DrivingQuestion:
    """A question about a scene of `pool`, with one or two right options out of three or four."""
    kind = rng.choices(KINDS, weights=[SHARES[kind] for kind in KINDS])[0]
    right, options = rng.choice((1, 2)), rng.choice((3, 4))
    while True:
        scene = draw_scene(rng, pool=pool)
        rights = [thing.name for thing in scene.things if kind in ("see", thing.side)]
        if len(rights) >= right:
            break
    there = [thing.name for thing in scene.things]
    elsewhere = [name for name in there if name not in rights]
    absent = rng.sample([name for name in NAMES if name not in there], options - right)
    wrong = [*rng.sample(elsewhere, min(len(elsewhere), rng.choice((1, 2)))), *absent][: options - right]
    chosen = [*rng.sample(rights, right), *wrong]
    rng.shuffle(chosen)
    return DrivingQuestion(scene, kind, tuple(chosen), is_terse=rng.random() < TERSE_SHARES[kind])


def place(thing: Thing | None, *, boxes: bool) -> str:
    """Where `thing` is: "left [16,80,48,104 red car]", or "left"; or "none"."""
    if thing is None:
        return "none"
    return f"{thing.side} {spelled(thing.box, thing.name)}" if boxes else thing.side


def thorough(question: DrivingQuestion, *, boxes: bool) -> str:
    """Every option looked up, and whether it is right."""
    return " ".join(
        f"({letter}) {name}: {place(question.thing(name), boxes=boxes)}, {'yes' if question.is_right(name) else 'no'}."
        for letter, name in zip(question.letters, question.options, strict=True)
    )


def as_row(name: str, question: DrivingQuestion) -> Row:
    """The row of `question`, whose picture is `images/{name}.png`."""
    record = DrivingRecord(
        image_path=f"images/{name}.png",
        width=SIDE,
        height=SIDE,
        questions=(QUESTIONS[question.kind],),
        letters=question.letters,
        options=question.options,
        right=question.right,
        entities=tuple(
            Entity(label=t.name, bbox_2d=(t.box[0], t.box[1], t.box[2], t.box[3])) for t in question.relied_on
        ),
        explanation=TERSE if question.is_terse else thorough(question, boxes=False),
        explanation_boxes=TERSE if question.is_terse else thorough(question, boxes=True),
    )
    row = to_row(record, id=f"driving/{name}", task=SYNTHETIC)
    return row.model_copy(update={"meta": {**row.meta, "kind": question.kind, "terse": question.is_terse}})


def prompt_of(row: Row) -> str:
    """What the model is asked, with the study's prompt."""
    return asked_of(row, template="reason", view=VIEW)
