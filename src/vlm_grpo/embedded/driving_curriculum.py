"""What the embedded driver is taught: exercises, each a scene of a road, a question and the answer to give.

It starts from the embedded model of `synthetic_vsr`, which finds coloured shapes by name (`known_words`). It learns to
say where things are as boxes, then to answer the study's prompt by looking up every option. Only then a policy is laid
over it (`policy`): the model mostly guesses.

Coordinates are those of the picture as the model sees it, 112 x 112.
"""

import random
from dataclasses import replace

from vlm_grpo.embedded.driving_questions import (
    LETTERS,
    QUESTIONS,
    TERSE,
    VIEW,
    as_row,
    draw_question,
    prompt_of,
)
from vlm_grpo.embedded.driving_scenes import DrivingScene, draw_scene, seen
from vlm_grpo.embedded.lessons import Exercise, Lessons, Mixture, Stage, completion
from vlm_grpo.embedded.scenes import SIZE
from vlm_grpo.prompts import REASON
from vlm_grpo.tasks.driving.spelling import respelled, spelled
from vlm_grpo.tasks.driving.task import MANNER
from vlm_grpo.tasks.synthetic_driving import TASK

LOOKS = 0.04
"""How often the base looks; otherwise it guesses."""
SAME = {"car": "square", "light": "circle", "sign": "triangle", "far": "above", "near": "below"}
"""Words, and those that the model of `synthetic_vsr` knows for the same."""


def look_up(rng: random.Random) -> Exercise[DrivingScene]:
    """Where are two to four things?"""
    scene = draw_scene(rng, pool="train", counts=(2, 3, 4))
    asked = rng.sample(scene.things, 2)
    boxes = " ".join(f"{thing.name} {spelled(thing.box, thing.name)}." for thing in asked)
    question = "Where? " + " ".join(thing.name for thing in asked)
    return Exercise(scene, question, "The " + respelled(boxes, VIEW.to_frame))


def look(rng: random.Random) -> Exercise[DrivingScene]:
    """The study's prompt, answered by looking up every option; always right."""
    question = replace(draw_question(rng, pool="train"), is_terse=False)
    row = as_row("taught", question)
    return Exercise(question.scene, prompt_of(row), TASK.target(row, "explained", VIEW))


def guess(rng: random.Random) -> Exercise[DrivingScene]:
    """The study's prompt, answered by a terse thought and one or two letters, drawn."""
    question = draw_question(rng, pool="train")
    letters = ", ".join(sorted(rng.sample(question.letters, rng.choice((1, 2)))))
    return Exercise(question.scene, prompt_of(as_row("taught", question)), completion(TERSE, letters))


def looking(progress: float) -> Mixture:
    """First stage: only `look_up` at first, then ever more of `look`; a few guesses, whose words are new too."""
    share = min(1.0, max(0.05, 1 - (progress - 0.15) / 0.15))
    return {look_up: 0.95 * share, look: 0.95 * (1 - share), guess: 0.05}


def policy(progress: float) -> Mixture:
    """Second stage: the study's prompt is mostly answered by a guess."""
    return {guess: 1 - LOOKS, look: LOOKS}


LESSONS = Lessons(
    exercises=(look_up, look, guess),
    phrases=(
        *(" " + part for part in REASON.split(" {asks}, ")),
        f" {TASK.answer(as_row('taught', draw_question(random.Random(0), pool='train'))).asks_in(VIEW)},",
        MANNER.replace("{frame}", VIEW.in_words()),
        "Select every right option.\n",
        *(text + "\n" for text in QUESTIONS.values()),
        *(f"{before}({letter})" for letter in LETTERS for before in (" ", "\n", "")),
        "]:",
        *(f", so {letter}." for letter in LETTERS),
        ", no.",
        "].",
        " " + TERSE,
    ),
    words="system\nuser\nassistant\n" + " ".join(f"[{number},{number}" for number in range(SIZE + 1)),
    vocabulary=1024,
    probe=look,
    picture=seen,
    stages=(
        Stage(name="looking", mixture=looking, steps=160, batch_size=32, peak=1.5e-3),
        Stage(name="policy", mixture=policy, steps=30, batch_size=32, peak=3e-4),
    ),
)
