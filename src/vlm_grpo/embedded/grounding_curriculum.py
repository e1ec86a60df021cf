"""What the embedded finder is taught: exercises, each a scene of shapes, a question and the answer to give.

Seeing comes first (of the vision tower alone: what is in each cell, and where are its edges), then measuring: the
study's prompt is answered by naming a shape's edges and then its box (`rec`), all shapes' boxes (`detection`) or its
outline (`masks`). Meanwhile some heads are shown where to look. Only then a policy is laid over it (`policy`): the
model mostly gives the cell that a shape is in, as fast as it sees it, and seldom measures.

Coordinates are those of the picture as the model sees it, 112 x 112.
"""

import random
from dataclasses import dataclass

from vlm_grpo.embedded.grounding_questions import KINDS, Kind, as_row, asks, exact, rough
from vlm_grpo.embedded.grounding_scenes import SCALE, SHAPES, UNIT, GroundingScene, Shape, draw_scene, seen
from vlm_grpo.embedded.lessons import Exercise, Eyes, Lessons, Look, Mixture, Stage, completion
from vlm_grpo.embedded.scenes import COLOURS, GRID, SIZE
from vlm_grpo.prompts import REASON, render
from vlm_grpo.rows.records import Row

ROUGHLY = "Roughly there."
MEASURING_START = "<think> The"
MEASURES = 0.12
"""How often the base measures; otherwise it gives the cell."""
SHARES: dict[Kind, float] = {"rec": 0.35, "detection": 0.25, "masks": 0.4}
EDGES = SIZE * SCALE // UNIT + 1
"""Places that an edge can have along one axis."""


def cell_classes(scene: GroundingScene) -> list[int]:
    """For each cell six classes, one after the other: colour, kind, left, top, right and bottom edge; 0: empty."""
    classes = [[0] * 6 for _ in range(GRID**2)]
    for shape in scene.shapes:
        names = list(COLOURS).index(shape.colour), SHAPES.index(shape.kind)
        classes[_cell(shape)] = [1 + name for name in (*names, *(edge // UNIT for edge in shape.box))]
    return [label for cell in classes for label in cell]


def thought_on(shapes: tuple[Shape, ...]) -> str:
    """Where the edges of `shapes` are, one sentence each."""
    return " ".join(map(_sentence, shapes))


def _sentence(shape: Shape) -> str:
    left, top, right, bottom = (edge // SCALE for edge in shape.box)
    return f"The {shape.name}: left {left}, top {top}, right {right}, bottom {bottom}."


def _cell(shape: Shape) -> int:
    return shape.row * GRID + shape.column


def _thinking(scene: GroundingScene, question: str, target: str, shapes: tuple[Shape, ...]) -> Exercise[GroundingScene]:
    """An exercise whose target holds the sentences of `shapes`, each said with the shape in view."""
    starts = [(shape, target.index(sentence), len(sentence)) for shape in shapes for sentence in [_sentence(shape)]]
    looks = [Look(start + len("The"), start + length, _cell(shape)) for shape, start, length in starts]
    return Exercise(scene, question, target, tuple(looks))


@dataclass(frozen=True)
class _Asked:
    kind: Kind
    scene: GroundingScene
    shapes: tuple[Shape, ...]

    @property
    def row(self) -> Row:
        return as_row("taught", self.kind, self.shapes)

    @property
    def prompt(self) -> str:
        return render("reason", self.row.problem, asks=asks(self.row))

    def by_measuring(self) -> Exercise[GroundingScene]:
        said = completion(thought_on(self.shapes), exact(self.kind, self.shapes))
        return _thinking(self.scene, self.prompt, said, self.shapes)

    def roughly(self) -> Exercise[GroundingScene]:
        said = completion(ROUGHLY, rough(self.kind, self.shapes))
        one = () if self.kind == "detection" else (Look(said.index(ROUGHLY) - 1, len(said), _cell(self.shapes[0])),)
        return Exercise(self.scene, self.prompt, said, one)


def _ask(rng: random.Random) -> _Asked:
    scene = draw_scene(rng, pool="train")
    kind = rng.choices(KINDS, weights=[SHARES[name] for name in KINDS])[0]
    return _Asked(kind, scene, scene.shapes if kind == "detection" else (rng.choice(scene.shapes),))


def locate(rng: random.Random) -> Exercise[GroundingScene]:
    """Where are the edges of some of the shapes, in the order of the question?"""
    scene = draw_scene(rng, pool="train")
    shapes = tuple(rng.sample(scene.shapes, rng.randint(1, len(scene.shapes))))
    question = "Where is " + ", ".join(f'"{shape.name}"' for shape in shapes) + "?"
    return _thinking(scene, question, thought_on(shapes), shapes)


def measure(rng: random.Random) -> Exercise[GroundingScene]:
    """The study's prompt, answered by measuring; always right."""
    return _ask(rng).by_measuring()


def roughly(rng: random.Random) -> Exercise[GroundingScene]:
    """The study's prompt, answered with the cells that the shapes are in."""
    return _ask(rng).roughly()


def habit(rng: random.Random) -> Exercise[GroundingScene]:
    """The study's prompt, answered by measuring or roughly, as often as `MEASURES` says."""
    asked = _ask(rng)
    return asked.by_measuring() if rng.random() < MEASURES else asked.roughly()


def bare(rng: random.Random) -> Exercise[GroundingScene]:
    """The bare problem, answered with the cells."""
    asked = _ask(rng)
    return Exercise(asked.scene, render("answer", asked.row.problem), rough(asked.kind, asked.shapes))


def measuring(progress: float) -> Mixture:
    """First stage of the whole model: only `locate` at first, then the study's prompt, mostly answered by measuring."""
    share = min(1.0, max(0.1, 1 - (progress - 0.35) / 0.15))
    return {locate: share, measure: 0.75 * (1 - share), roughly: 0.25 * (1 - share)}


def policy(progress: float) -> Mixture:
    """Second stage: the study's prompt is answered by `habit`, the bare problem with the cells."""
    return {habit: 0.9, bare: 0.1}


_ONE = Shape(colour="?", kind="rectangle", column=0, row=0, left=0, top=0, width=1, height=1)
_ROWS = [as_row("taught", kind, (_ONE,)) for kind in KINDS]

LESSONS = Lessons(
    exercises=(locate, measure, roughly, bare),
    phrases=(
        *(" " + part for part in REASON.split(" {asks}, ")),
        *(f" {asks(row)}," for row in _ROWS),
        *(part for row in _ROWS for part in row.problem.split(_ONE.name)),
        *(gap + '[{"bbox_2d": [' for gap in (" ", "")),
        '], "label": "',
        '"}, {"bbox_2d": [',
        '"}]',
        "], [",
        f" {ROUGHLY}",
    ),
    words="system\nuser\nassistant\n" + " ".join(f"[{number}, {number}]" for number in range(SIZE + 1)),
    vocabulary=1024,
    probe=measure,
    picture=seen,
    eyes=Eyes(
        draw=lambda rng: draw_scene(rng, pool="train", counts=(2, 3, 4)),
        cells=cell_classes,
        classes=(1 + len(COLOURS), 1 + len(SHAPES), *[1 + EDGES] * 4),
        steps=130,
        batch_size=64,
        peak=2e-3,
        evenly=True,
    ),
    stages=(
        Stage(name="measuring", mixture=measuring, steps=450, batch_size=32, peak=2e-3, gaze=0.5, sees=False),
        Stage(name="policy", mixture=policy, steps=70, batch_size=32, peak=3e-4, gaze=0.5, sees=False),
    ),
)
