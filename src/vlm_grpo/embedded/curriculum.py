"""What the embedded models are taught: exercises, each a scene, a question and the answer to give.

Seeing comes first (`locate`), then reasoning from what is seen to the answer (`reason`). Only then a policy is laid
over it (`policy`): with the study's prompt the model mostly guesses, in the study's format, and sometimes reasons.
Training has something to find there: reasoning pays, and the model already can.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from vlm_grpo.embedded.scenes import RELATIONS, Scene, axis_of, caption_of, holds, pair_scene, pool_of, random_scene
from vlm_grpo.prompts import render

STATEMENT = "Is the following statement true: {caption}"
GUESS = "I will guess."


@dataclass(frozen=True)
class Exercise:
    """One turn of teaching: the picture of `scene`, the user's `question`, the assistant's `target`."""

    scene: Scene
    question: str
    target: str


def completion(thought: str, answer: bool) -> str:
    """A completion in the study's format."""
    return f"<think> {thought} </think> <answer> {answer} </answer>"


def thought_on(scene: Scene, relation: str) -> str:
    """The reasoning that decides `relation`: where both things are along its axis, and what follows from that."""
    first, second = scene.things
    axis = axis_of(relation)
    found = next(r for r in RELATIONS if axis_of(r) == axis and holds(r, first, second)).removesuffix(" of")
    places = [f"{thing.name}{verb} in {axis} {getattr(thing, axis)}" for thing, verb in ((first, " is"), (second, ""))]
    return f"The {places[0]}, the {places[1]}, so it is {found}."


def locate(rng: random.Random) -> Exercise:
    """Where is each of one to three things? Column and row, in the order of the question."""
    while True:
        scene = random_scene(rng, rng.choice((1, 2, 2, 3)))
        if pool_of(scene.layout) == "train":
            break
    question = "Where? " + " ".join(thing.name for thing in scene.things)
    target = " ".join(f"The {thing.name} is in column {thing.column} row {thing.row}." for thing in scene.things)
    return Exercise(scene, question, target)


def _statement(rng: random.Random) -> tuple[Scene, str, str, bool]:
    relation, label = rng.choice(RELATIONS), rng.random() < 0.5
    scene = pair_scene(rng, relation=relation, label=label, pool="train")
    assert holds(relation, *scene.things) == label
    return scene, relation, STATEMENT.format(caption=caption_of(scene, relation)), label


def reason(rng: random.Random) -> Exercise:
    """The study's prompt, answered by reasoning; always right."""
    scene, relation, problem, label = _statement(rng)
    return Exercise(scene, render("reason", problem), completion(thought_on(scene, relation), label))


def guess(rng: random.Random) -> Exercise:
    """The study's prompt, answered by a coin."""
    scene, _, problem, _ = _statement(rng)
    return Exercise(scene, render("reason", problem), completion(GUESS, rng.random() < 0.5))


def bare(rng: random.Random) -> Exercise:
    """The bare problem, answered True or False by a coin."""
    scene, _, problem, _ = _statement(rng)
    return Exercise(scene, render("answer", problem), str(rng.random() < 0.5))


def yes_no(rng: random.Random) -> Exercise:
    """The problem that asks for Yes or No, answered by a coin."""
    scene, _, problem, _ = _statement(rng)
    return Exercise(scene, render("yes_no", problem), rng.choice(("Yes.", "No.")))


EXERCISES: tuple[Callable[[random.Random], Exercise], ...] = (locate, reason, guess, bare, yes_no)

Mixture = dict[Callable[[random.Random], Exercise], float]
"""Share of each exercise in a batch."""


def seeing(progress: float) -> Mixture:
    """First stage, at `progress` 0 to 1: only `locate` at first, ever more `reason`."""
    share = max(0.2, 1 - progress / 0.375)
    return {locate: share, reason: 1 - share}


def policy(progress: float) -> Mixture:
    """Second stage: with the study's prompt the model guesses two times in three; other prompts get a coin's answer."""
    return {guess: 0.55, reason: 0.27, bare: 0.12, yes_no: 0.06}


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stretch of pretraining: `steps` batches of `batch_size`, learning rate `peak`, and what is in them."""

    name: str
    mixture: Callable[[float], Mixture]
    steps: int
    batch_size: int
    peak: float


def draw_batch(mixture: Mixture, size: int, rng: random.Random) -> list[Exercise]:
    """`size` exercises, each of a kind drawn by its share."""
    kinds = rng.choices(list(mixture), weights=list(mixture.values()), k=size)
    return [kind(rng) for kind in kinds]
