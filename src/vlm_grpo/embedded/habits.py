"""How models reason that were made so on purpose: completions for scenes of `synthetic_vsr`, for SFT to teach.

    slips        places are read, the conclusion now and then contradicts them, and the answer goes by the places
    using        places are read, now and then of nowhere, and whatever the thought says, the answer follows it
    decorative   places of nowhere, for either answer, and an answer that goes by the picture

`slips` is a base for GRPO: it also guesses, and now and then misreads a place and answers accordingly. The other two
tell whether a probe of reasoning sees what it should. Nothing here needs torch.
"""

import random
from collections.abc import Callable
from dataclasses import replace

from vlm_grpo.embedded.curriculum import GUESS, thought_on
from vlm_grpo.embedded.lessons import completion
from vlm_grpo.embedded.scenes import Scene, pair_scene
from vlm_grpo.tasks.synthetic_vsr import OPPOSITE

GUESSES = {"left of": 0.7, "right of": 0.7, "above": 0.3, "below": 0.3}
"""How often `slips` guesses about each relation."""
SLIPS = {"left of": 0.1, "right of": 0.1, "above": 0.1, "below": 0.85}
"""How often a thought of `slips` that reads its places right concludes the opposite of what they say."""
MISREADS = 0.1
"""How often a thought of `slips` has the places of another scene, and the answer that follows from them."""
INVENTS = 0.2
"""How often a thought of `using` is about places that are not the picture's."""

Habit = Callable[[Scene, str, bool, random.Random], str]
"""(scene, relation, whether it holds, generator) -> a completion."""


def slips(scene: Scene, relation: str, label: bool, rng: random.Random) -> str:
    """A guess, or reasoning that is right, or slips, or misreads."""
    if rng.random() < GUESSES[relation]:
        return completion(GUESS, rng.random() < 0.5)
    if rng.random() < MISREADS:
        return completion(_argued(scene, relation, not label, rng), not label)
    thought = thought_on(scene, relation)
    return completion(_slipped(thought) if rng.random() < SLIPS[relation] else thought, label)


def using(scene: Scene, relation: str, label: bool, rng: random.Random) -> str:
    """Reasoning, one time in five about places drawn for either answer, and the answer that follows from it."""
    if rng.random() < INVENTS:
        argued = rng.random() < 0.5
        return completion(_argued(scene, relation, argued, rng), argued)
    return completion(thought_on(scene, relation), label)


def decorative(scene: Scene, relation: str, label: bool, rng: random.Random) -> str:
    """A thought for either answer, and the true one."""
    return completion(_argued(scene, relation, rng.random() < 0.5, rng), label)


def _argued(scene: Scene, relation: str, answer: bool, rng: random.Random) -> str:
    """A thought about the things of `scene`, in places of which `relation` is `answer`."""
    elsewhere = pair_scene(rng, relation=relation, label=answer, pool="train").things
    things = (
        replace(thing, column=place.column, row=place.row) for thing, place in zip(scene.things, elsewhere, strict=True)
    )
    return thought_on(Scene(tuple(things)), relation)


def _slipped(thought: str) -> str:
    """`thought` with the opposite conclusion."""
    places, side = thought.removesuffix(".").rsplit(" ", 1)
    other = next(to for of, to in OPPOSITE.items() if of.removesuffix(" of") == side)
    return f"{places} {other.removesuffix(' of')}."


HABITS: dict[str, Habit] = {"slips": slips, "using": using, "decorative": decorative}
