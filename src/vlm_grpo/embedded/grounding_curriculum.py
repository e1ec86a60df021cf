"""What the embedded finder is taught: exercises, each a scene of shapes, a question and the answer to give.

Seeing comes first (of the vision tower alone: what is in each cell, and where are its edges), then measuring: the
study's prompt is answered by naming a shape's edges and then its box (`rec`), all shapes' boxes (`detection`) or its
outline (`masks`). Only then a policy is laid over it (`policy`): the model mostly gives the cell that a shape is in, as
fast as it sees it, and seldom measures.

Coordinates are those of the picture as the model sees it, 112 x 112.
"""

import random
from dataclasses import dataclass

from vlm_grpo.embedded.grounding_questions import TAUGHT, Kind, as_row, asks, exact, rough
from vlm_grpo.embedded.grounding_scenes import SCALE, SHAPES, UNIT, GroundingScene, Shape, draw_scene, seen
from vlm_grpo.embedded.lessons import Exercise, Eyes, Lessons, Mixture, Stage, completion
from vlm_grpo.embedded.scenes import COLOURS, GRID, SIZE
from vlm_grpo.prompts import REASON, render
from vlm_grpo.rows.records import Row

ROUGHLY = "Roughly there."
MEASURING_START = "<think> The"
MEASURES = 0.12
"""How often the base measures; otherwise it gives the cell."""
SHARES: dict[Kind, float] = {"rec": 0.6, "detection": 0.4}
EDGES = SIZE * SCALE // UNIT + 1
"""Places that an edge can have along one axis."""


def cell_classes(scene: GroundingScene) -> list[int]:
    """For each cell five classes, one after the other: colour and kind, left, top, right and bottom edge; 0: empty."""
    classes = [[0] * 5 for _ in range(GRID**2)]
    for shape in scene.shapes:
        kind = list(COLOURS).index(shape.colour) * len(SHAPES) + SHAPES.index(shape.kind)
        classes[shape.row * GRID + shape.column] = [1 + kind, *(1 + edge // UNIT for edge in shape.box)]
    return [label for cell in classes for label in cell]


def thought_on(shapes: tuple[Shape, ...]) -> str:
    """Where the edges of `shapes` are, one sentence each."""
    sentences = []
    for shape in shapes:
        left, top, right, bottom = (edge // SCALE for edge in shape.box)
        sentences.append(f"The {shape.name}: left {left}, top {top}, right {right}, bottom {bottom}.")
    return " ".join(sentences)


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
        return Exercise(self.scene, self.prompt, completion(thought_on(self.shapes), exact(self.kind, self.shapes)))

    def roughly(self) -> Exercise[GroundingScene]:
        return Exercise(self.scene, self.prompt, completion(ROUGHLY, rough(self.kind, self.shapes)))


def _ask(rng: random.Random, kind: Kind | None = None) -> _Asked:
    scene = draw_scene(rng, pool="train")
    kind = kind or rng.choices(TAUGHT, weights=[SHARES[name] for name in TAUGHT])[0]
    return _Asked(kind, scene, scene.shapes if kind == "detection" else (rng.choice(scene.shapes),))


def locate(rng: random.Random) -> Exercise[GroundingScene]:
    """Where are the edges of one shape of one to three? Alone in its picture, it is found without being looked for."""
    scene = draw_scene(rng, pool="train", counts=(1, 1, 2, 3))
    shape = rng.choice(scene.shapes)
    return Exercise(scene, f'Where is "{shape.name}"?', thought_on((shape,)))


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
    share = min(1.0, max(0.1, 1 - (progress - 0.3) / 0.2))
    return {locate: share, measure: 0.85 * (1 - share), roughly: 0.15 * (1 - share)}


def policy(progress: float) -> Mixture:
    """Second stage: the study's prompt is answered by `habit`, the bare problem with the cells."""
    return {habit: 0.9, bare: 0.1}


_ONE = Shape(colour="?", kind="?", column=0, row=0, left=0, top=0, width=1, height=1)
_ROWS = [as_row("taught", kind, (_ONE,)) for kind in TAUGHT]

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
        f" {ROUGHLY}",
    ),
    words="system\nuser\nassistant\n" + " ".join(f"[{number}, {number}]" for number in range(SIZE + 1)),
    vocabulary=1024,
    probe=measure,
    picture=seen,
    eyes=Eyes(
        draw=lambda rng: draw_scene(rng, pool="train"),
        cells=cell_classes,
        classes=(1 + len(COLOURS) * len(SHAPES), *[1 + EDGES] * 4),
        steps=100,
        batch_size=64,
        peak=2e-3,
    ),
    stages=(
        Stage(name="measuring", mixture=measuring, steps=500, batch_size=32, peak=2e-3),
        Stage(name="policy", mixture=policy, steps=90, batch_size=32, peak=3e-4),
    ),
)
