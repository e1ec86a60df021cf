"""What the embedded reader of digits is taught: exercises, each a picture of digits, a question and the answer to give.

As in `curriculum`, seeing comes first (here of the vision tower alone: which digit is in which cell), then reasoning
from what is seen to the answer (`reason`). Only then a policy is laid over it (`policy`): with the study's prompt the
model mostly guesses, in the format that the question asks for, and sometimes reasons.
"""

import random
from dataclasses import dataclass

from vlm_grpo.embedded.curriculum import GUESS
from vlm_grpo.embedded.digit_scenes import DigitScene, draw, seen
from vlm_grpo.embedded.lessons import Exercise, Eyes, Lessons, Mixture, Stage, completion
from vlm_grpo.embedded.scenes import GRID
from vlm_grpo.prompts import REASON, render
from vlm_grpo.tasks.digits.questions import ASKS, MOST, PROBLEMS, QUESTIONS, Question, solution_of

REASONING_HABIT: dict[Question, float] = {"list": 0.55, "sum": 0.2}
"""How often the base reasons about each question: a bit more than one time in three overall, mostly about lists.

At its likeliest it thus reasons on the lists and guesses the sums.
"""


def cell_classes(scene: DigitScene) -> list[int]:
    """For each of the sixteen cells 0 where no digit has its centre, otherwise the digit + 1."""
    classes = [0] * GRID**2
    for cell, digit in zip(scene.cells, scene.digits, strict=True):
        classes[cell] = digit + 1
    return classes


def thought_on(digits: tuple[int, ...], question: Question) -> str:
    """The reasoning that leads from `digits`, in reading order, to the answer: they are put in order or added up."""
    named = [str(digit) for digit in digits]
    read = ", ".join(named[:-1]) + " and " + named[-1] if len(named) > 1 else named[0]
    if question == "list":
        return f"I see {read}. In order: {', '.join(sorted(named))}."
    sums = [f"{sum(digits[:i])} + {digits[i]} = {sum(digits[: i + 1])}" for i in range(1, len(digits))]
    return f"I see {read}." + (f" {', '.join(sums)}." if sums else "")


@dataclass(frozen=True)
class _Asked:
    scene: DigitScene
    question: Question

    @property
    def prompt(self) -> str:
        return render("reason", PROBLEMS[self.question], asks=ASKS[self.question])

    def by_reasoning(self) -> Exercise[DigitScene]:
        thought = thought_on(self.scene.digits, self.question)
        return Exercise(self.scene, self.prompt, completion(thought, solution_of(self.question, self.scene.digits)))

    def by_guess(self, rng: random.Random) -> Exercise[DigitScene]:
        return Exercise(self.scene, self.prompt, completion(GUESS, _guess(self.question, rng)))


def _ask(rng: random.Random) -> _Asked:
    return _Asked(draw(rng), rng.choice(QUESTIONS))


def _guess(question: Question, rng: random.Random) -> str:
    return solution_of(question, [rng.randrange(10) for _ in range(rng.randint(1, MOST))])


def reason(rng: random.Random) -> Exercise[DigitScene]:
    """The study's prompt, answered by reasoning; always right."""
    return _ask(rng).by_reasoning()


def guess(rng: random.Random) -> Exercise[DigitScene]:
    """The study's prompt, answered by chance: drawn as the solutions are, whatever the picture shows."""
    return _ask(rng).by_guess(rng)


def habit(rng: random.Random) -> Exercise[DigitScene]:
    """The study's prompt, answered by reasoning or by chance, as often as `REASONING_HABIT` says."""
    asked = _ask(rng)
    return asked.by_reasoning() if rng.random() < REASONING_HABIT[asked.question] else asked.by_guess(rng)


def bare(rng: random.Random) -> Exercise[DigitScene]:
    """The bare problem, answered by chance."""
    asked = _ask(rng)
    return Exercise(asked.scene, render("answer", PROBLEMS[asked.question]), _guess(asked.question, rng))


def reasoning(progress: float) -> Mixture:
    """First stage of the whole model: nothing but `reason`."""
    return {reason: 1.0}


def policy(progress: float) -> Mixture:
    """Second stage: the study's prompt is answered by `habit`, the bare problem by chance."""
    return {habit: 0.85, bare: 0.15}


LESSONS = Lessons(
    exercises=(reason, guess, bare),
    phrases=(
        *(" " + REASON.replace("{asks}", asks) for asks in ASKS.values()),
        *PROBLEMS.values(),
        " I see",
        " In order:",
        " " + GUESS,
    ),
    words="system\nuser\nassistant\n" + " ".join(str(number) for number in range(9 * MOST + 1)),
    probe=reason,
    picture=seen,
    eyes=Eyes(draw=draw, cells=cell_classes, classes=(1 + 10,), steps=1200, batch_size=64, peak=2e-3),
    stages=(
        Stage(name="reasoning", mixture=reasoning, steps=1000, batch_size=64, peak=2e-3),
        Stage(name="policy", mixture=policy, steps=200, batch_size=64, peak=5e-4),
    ),
)
