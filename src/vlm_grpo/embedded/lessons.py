"""What a curriculum is made of: exercises, shares of them in a batch, stages; and what the builders must know of it."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

Scene = TypeVar("Scene")


@dataclass(frozen=True)
class Look:
    """From character `start` to `end` of a target its subject is the image token `cell`, counted from 0."""

    start: int
    end: int
    cell: int


@dataclass(frozen=True)
class Exercise(Generic[Scene]):
    """One turn of teaching: the picture of `scene`, the user's `question`, the assistant's `target`.

    `looks` say which part of the target is about which part of the picture, where that is taught (`gaze`).
    """

    scene: Scene
    question: str
    target: str
    looks: tuple[Look, ...] = ()


Draw = Callable[[random.Random], Exercise[Any]]
"""A kind of exercise: draws one."""

Mixture = dict[Draw, float]
"""Share of each exercise in a batch."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stretch of pretraining: `steps` batches of `batch_size`, learning rate `peak`, and what is in them.

    `gaze` is the weight of the loss on where the model looks; 0 teaches words alone. Where not `sees`, the vision tower
    stays as it is.
    """

    name: str
    mixture: Callable[[float], Mixture]
    steps: int
    batch_size: int
    peak: float
    gaze: float = 0.0
    sees: bool = True


@dataclass(frozen=True, kw_only=True)
class Eyes:
    """A stretch of teaching the vision tower alone (`eyes`).

    Attributes:
        draw: draws a scene.
        cells: the class of each cell of a scene, in the order of the image tokens, or several classes one after the
            other (what it is, where its edges are); 0 is an empty cell.
        classes: number of classes, for each of the several.
        steps, batch_size, peak: as in a `Stage`.
        evenly: whether each of the several classes is to take up as much of an image token as any other. Edges have
            many values and colours few, so that left alone the colours are faint, and no text finds them.
    """

    draw: Callable[[random.Random], Any]
    cells: Callable[[Any], list[int]]
    classes: tuple[int, ...]
    steps: int
    batch_size: int
    peak: float
    evenly: bool = False


@dataclass(frozen=True, kw_only=True)
class Lessons:
    """A curriculum.

    Attributes:
        exercises: every kind of text that the model meets; the tokenizer is trained on them.
        phrases: texts that the tokenizer keeps in one piece, among them the prompt's instruction.
        words: more text for the tokenizer.
        probe: the exercise that shows how far teaching has come.
        picture: a scene as uint8 (112, 112, 3), the pixels that the processor sees after its own resizing.
        eyes: what the vision tower is taught first, if anything.
        stages: what the whole model is taught then.
        vocabulary: the most tokens that the tokenizer has; long phrases need more to stay in one piece.
    """

    exercises: tuple[Draw, ...]
    phrases: tuple[str, ...]
    words: str
    probe: Draw
    picture: Callable[[Any], np.ndarray]
    stages: tuple[Stage, ...]
    eyes: Eyes | None = None
    vocabulary: int = 512


def completion(thought: str, answer: object) -> str:
    """A completion in the study's format."""
    return f"<think> {thought} </think> <answer> {answer} </answer>"


def draw_batch(mixture: Mixture, size: int, rng: random.Random) -> list[Exercise[Any]]:
    """`size` exercises, each of a kind drawn by its share."""
    kinds = rng.choices(list(mixture), weights=list(mixture.values()), k=size)
    return [kind(rng) for kind in kinds]
