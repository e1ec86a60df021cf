"""What the embedded decoder is taught: exercises, each a table of a cipher, a question and the answer to give.

Seeing comes first (of the vision tower alone: which pair is in which tile), then looking pairs up (`read`: what does
each letter stand for, in the alphabet's order), then decoding (`reason`): code and plain letter of each letter of the
message, then the plain letters, then the words. Only then a policy is laid over it (`policy`): with the study's prompt
the model mostly guesses, sometimes copies the code, and seldom reasons.
"""

import random
from dataclasses import dataclass

from vlm_grpo.embedded.cipher_scenes import (
    LETTERS,
    CipherScene,
    cells_of,
    draw_message,
    draw_scene,
    render_array,
)
from vlm_grpo.embedded.curriculum import GUESS
from vlm_grpo.embedded.lessons import Exercise, Eyes, Lessons, Mixture, Stage
from vlm_grpo.prompts import REASON, render
from vlm_grpo.tasks.cryptogram.cipher import SPACE, encode, spaced
from vlm_grpo.tasks.cryptogram.questions import ASKS, CHARS, END_CHARS, PROBLEMS, problem

READ = "Read the table."
COPY = "I see the message."
REASONING_START = "Letter by letter:"
REASONS, COPIES = 0.06, 0.16
"""How often the base reasons, and how often it copies the code; otherwise it guesses."""


def completion(thought: str, chars: str, answer: str) -> str:
    """A completion as a sequence asks for it."""
    return f"<think> {thought} {CHARS} {chars} {END_CHARS} </think>\n<answer> {answer} </answer>"


def thought_on(code: str, message: str) -> str:
    """Code letter and plain letter of each letter of the message: "ra es" where "re" stands for "as"."""
    spelled = [SPACE if a == " " else a + b for a, b in zip(code, message, strict=True)]
    return f"{REASONING_START} {' '.join(spelled)}"


@dataclass(frozen=True)
class _Cryptogram:
    scene: CipherScene
    message: str

    @property
    def code(self) -> str:
        return encode(self.message, self.scene.mapping, LETTERS)

    @property
    def prompt(self) -> str:
        return render("reason", problem("sequence", spaced(self.code)), asks=ASKS["sequence"])

    def by_reasoning(self) -> Exercise[CipherScene]:
        thought = thought_on(self.code, self.message)
        return Exercise(self.scene, self.prompt, completion(thought, spaced(self.message), self.message))

    def by_copying(self) -> Exercise[CipherScene]:
        return Exercise(self.scene, self.prompt, completion(COPY, spaced(self.code), self.code))

    def by_guess(self, rng: random.Random) -> Exercise[CipherScene]:
        guessed = draw_message(rng, pool="train")
        return Exercise(self.scene, self.prompt, completion(GUESS, guessed, guessed))


def _scene(rng: random.Random) -> CipherScene:
    return draw_scene(rng, pool="train")


def _cryptogram(rng: random.Random) -> _Cryptogram:
    return _Cryptogram(_scene(rng), draw_message(rng, pool="train"))


def read(rng: random.Random) -> Exercise[CipherScene]:
    """What does each letter stand for that a table of one to eight pairs shows? In the order of the alphabet."""
    scene = draw_scene(rng, pool="train", pairs=rng.randint(1, len(LETTERS)))
    return Exercise(scene, READ, " ".join([REASONING_START, *scene.pairs]))


def reason(rng: random.Random) -> Exercise[CipherScene]:
    """The study's prompt, answered by reading the table and spelling; always right."""
    return _cryptogram(rng).by_reasoning()


def copy(rng: random.Random) -> Exercise[CipherScene]:
    """The study's prompt, answered with the code itself."""
    return _cryptogram(rng).by_copying()


def guess(rng: random.Random) -> Exercise[CipherScene]:
    """The study's prompt, answered by some message, whatever is asked; its letters are not set apart."""
    return _cryptogram(rng).by_guess(rng)


def habit(rng: random.Random) -> Exercise[CipherScene]:
    """The study's prompt, answered by reasoning, by copying or by a guess, as often as the base is to do each."""
    asked, lot = _cryptogram(rng), rng.random()
    if lot < REASONS:
        return asked.by_reasoning()
    return asked.by_copying() if lot < REASONS + COPIES else asked.by_guess(rng)


def bare(rng: random.Random) -> Exercise[CipherScene]:
    """The bare problem, answered by a guess."""
    asked = _cryptogram(rng)
    return Exercise(asked.scene, problem("sequence", spaced(asked.code)), draw_message(rng, pool="train"))


def reading(progress: float) -> Mixture:
    """First stage of the whole model: nothing but `read`."""
    return {read: 1.0}


def decoding(progress: float) -> Mixture:
    """Second stage: mostly `reason`, and the two other ways to answer, so that the policy has only to choose."""
    return {reason: 0.7, copy: 0.15, guess: 0.15}


def policy(progress: float) -> Mixture:
    """Third stage: the study's prompt is answered by `habit`, the bare problem by a guess."""
    return {habit: 0.9, bare: 0.1}


LESSONS = Lessons(
    exercises=(read, reason, copy, guess, bare),
    phrases=(
        " " + REASON.replace("{asks}", ASKS["sequence"]),
        PROBLEMS["sequence"].removesuffix(" "),
        READ,
        REASONING_START,
        *(f" {phrase}" for phrase in (GUESS, COPY, REASONING_START, CHARS, END_CHARS, SPACE)),
        "user\n",
        "assistant\n",
        "\n<answer>",
        *(f" {letter}" for letter in LETTERS),
        *LETTERS,
    ),
    words="system\nuser\nassistant\n",
    vocabulary=1024,
    probe=reason,
    picture=render_array,
    eyes=Eyes(draw=_scene, cells=cells_of, classes=(1 + len(LETTERS) ** 2,), steps=40, batch_size=64, peak=2e-3),
    stages=(
        Stage(name="reading", mixture=reading, steps=240, batch_size=32, peak=2e-3),
        Stage(name="decoding", mixture=decoding, steps=450, batch_size=32, peak=2e-3),
        Stage(name="policy", mixture=policy, steps=80, batch_size=32, peak=3e-4),
    ),
)
