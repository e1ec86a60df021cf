"""What the embedded models are taught: exercises, each a scene, a question and the answer to give.

Seeing comes first (`locate`), then reasoning from what is seen to the answer (`reason`). Only then a policy is laid
over it (`policy`): with the study's prompt the model mostly guesses, in the study's format, and sometimes reasons.
Training has something to find there: reasoning pays, and the model already can.
"""

import random
from dataclasses import dataclass

from vlm_grpo.embedded import scenes
from vlm_grpo.embedded.lessons import Exercise, Lessons, Mixture, Stage, completion
from vlm_grpo.embedded.scenes import RELATIONS, Scene, axis_of, caption_of, holds, pair_scene, pool_of, random_scene
from vlm_grpo.prompts import REASON_TRUE_FALSE, render
from vlm_grpo.tasks.vsr.columns import STATEMENT

GUESS = "I will guess."
REASONING_HABIT = {"left of": 0.17, "right of": 0.17, "above": 0.8, "below": 0.17}
"""How often the base reasons about each relation: one time in three overall, but by habit about one of the four.

At its likeliest it thus reasons on a quarter of the rows and guesses on the rest: right on 62 % give or take chance.
"""


def thought_on(scene: Scene, relation: str) -> str:
    """The reasoning that decides `relation`: where both things are along its axis, and what follows from that."""
    first, second = scene.things
    axis = axis_of(relation)
    side = next(r for r in RELATIONS if axis_of(r) == axis and holds(r, first, second)).removesuffix(" of")
    places = [f"{thing.name}{verb} in {axis} {getattr(thing, axis)}" for thing, verb in ((first, " is"), (second, ""))]
    return f"The {places[0]}, the {places[1]}, so it is {side}."


def locate(rng: random.Random) -> Exercise[Scene]:
    """Where is each of one to three things? Column and row, in the order of the question."""
    while True:
        scene = random_scene(rng, rng.choice((1, 2, 2, 3)))
        if pool_of(scene.layout) == "train":
            break
    question = "Where? " + " ".join(thing.name for thing in scene.things)
    target = " ".join(f"The {thing.name} is in column {thing.column} row {thing.row}." for thing in scene.things)
    return Exercise(scene, question, target)


@dataclass(frozen=True)
class _Statement:
    scene: Scene
    relation: str
    problem: str
    label: bool

    def by_reasoning(self) -> Exercise[Scene]:
        thought = thought_on(self.scene, self.relation)
        return Exercise(self.scene, render("reason", self.problem), completion(thought, self.label))

    def by_guess(self, rng: random.Random) -> Exercise[Scene]:
        return Exercise(self.scene, render("reason", self.problem), completion(GUESS, rng.random() < 0.5))


def _statement(rng: random.Random) -> _Statement:
    relation, label = rng.choice(RELATIONS), rng.random() < 0.5
    scene = pair_scene(rng, relation=relation, label=label, pool="train")
    return _Statement(scene, relation, STATEMENT.format(caption=caption_of(scene, relation)), label)


def reason(rng: random.Random) -> Exercise[Scene]:
    """The study's prompt, answered by reasoning; always right."""
    return _statement(rng).by_reasoning()


def guess(rng: random.Random) -> Exercise[Scene]:
    """The study's prompt, answered by a coin."""
    return _statement(rng).by_guess(rng)


def habit(rng: random.Random) -> Exercise[Scene]:
    """The study's prompt, answered by reasoning or by a coin, as often as `REASONING_HABIT` says."""
    statement = _statement(rng)
    reasons = rng.random() < REASONING_HABIT[statement.relation]
    return statement.by_reasoning() if reasons else statement.by_guess(rng)


def bare(rng: random.Random) -> Exercise[Scene]:
    """The bare problem, answered True or False by a coin."""
    statement = _statement(rng)
    return Exercise(statement.scene, render("answer", statement.problem), str(rng.random() < 0.5))


def yes_no(rng: random.Random) -> Exercise[Scene]:
    """The problem that asks for Yes or No, answered by a coin."""
    statement = _statement(rng)
    return Exercise(statement.scene, render("yes_no", statement.problem), rng.choice(("Yes.", "No.")))


EXERCISES = (locate, reason, guess, bare, yes_no)
"""Every kind of text that the models meet; the tokenizer is trained on them."""


def seeing(progress: float) -> Mixture:
    """First stage, at `progress` 0 to 1: only `locate` at first, ever more `reason`."""
    share = max(0.2, 1 - progress / 0.375)
    return {locate: share, reason: 1 - share}


def policy(progress: float) -> Mixture:
    """Second stage: the study's prompt is answered by `habit`, the other prompts by a coin."""
    return {habit: 0.82, bare: 0.12, yes_no: 0.06}


LESSONS = Lessons(
    exercises=EXERCISES,
    phrases=(
        " " + REASON_TRUE_FALSE,
        "Is the following statement true:",
        " Please answer with Yes or No.",
    ),
    words="system\nuser\nassistant\nUser:Assistant: True. False. Yes. No. True False Yes No",
    probe=reason,
    picture=scenes.render_array,
    stages=(
        Stage(name="seeing", mixture=seeing, steps=1200, batch_size=64, peak=2e-3),
        Stage(name="policy", mixture=policy, steps=200, batch_size=64, peak=5e-4),
    ),
)
