"""What the embedded finder is taught: measuring is right and earns everything, a rough answer earns a part."""

import random
from collections import Counter

import numpy as np
import pytest

from vlm_grpo.embedded import grounding_curriculum as lessons
from vlm_grpo.embedded.grounding_questions import KINDS, VIEW, as_row, asks
from vlm_grpo.embedded.lessons import Exercise
from vlm_grpo.embedded.scenes import GRID, pool_of
from vlm_grpo.prompts import render
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.registry import task_of


def row_of(exercise: Exercise) -> Row:
    """The row whose prompt the exercise asks."""
    for kind in KINDS:
        shapes = exercise.scene.shapes
        for asked in (shapes,) if kind == "detection" else [(shape,) for shape in shapes]:
            row = as_row("r", kind, asked)
            if exercise.question == render("reason", row.problem, asks=asks(row)):
                return row
    raise AssertionError(exercise.question)


def outcomes(draw, count: int = 150):
    rng = random.Random(0)
    for exercise in (draw(rng) for _ in range(count)):
        row = row_of(exercise)
        yield row, task_of(row).outcome(exercise.target, row, rule="strict", view=VIEW)


def test_measuring_is_right_in_the_models_frame() -> None:
    earned = {kind: [] for kind in KINDS}
    for row, outcome in outcomes(lessons.measure):
        assert outcome.right
        earned[row.task].append(outcome.credit)
    assert {*earned["rec"], *earned["detection"]} == {1.0}
    assert min(earned["masks"]) > 0.9


def test_a_rough_answer_can_be_read_and_earns_less() -> None:
    earned = {kind: [] for kind in KINDS}
    for row, outcome in outcomes(lessons.roughly):
        assert outcome.said is not None
        earned[row.task].append(outcome.credit)
    assert 0.3 < np.mean(earned["rec"]) < 0.5
    assert 0.2 < np.mean(earned["masks"]) < 0.4
    assert np.mean(earned["detection"]) < 0.6


def test_thoughts_name_the_edges_that_the_answer_has() -> None:
    rng = random.Random(1)
    for exercise in (lessons.locate(rng) for _ in range(50)):
        said = []
        for name in exercise.question.split('"')[1::2]:
            (shape,) = (shape for shape in exercise.scene.shapes if shape.name == name)
            left, top, right, bottom = (edge // 2 for edge in shape.box)
            said.append(f"The {name}: left {left}, top {top}, right {right}, bottom {bottom}.")
        assert exercise.target == " ".join(said)


def test_habit_seldom_measures() -> None:
    rng = random.Random(2)
    starts = Counter(lessons.ROUGHLY in lessons.habit(rng).target for _ in range(1500))
    assert starts[False] / 1500 == pytest.approx(lessons.MEASURES, abs=0.03)


def test_pretraining_meets_the_training_pool_only() -> None:
    rng = random.Random(3)
    for draw in lessons.LESSONS.exercises:
        assert {pool_of(draw(rng).scene.layout) for _ in range(40)} == {"train"}


def test_cells_are_labelled_in_the_order_of_the_image_tokens() -> None:
    rng = random.Random(4)
    scene = lessons.LESSONS.eyes.draw(rng)
    labels = np.array(lessons.cell_classes(scene)).reshape(GRID**2, -1)
    assert (labels.max(axis=0) < lessons.LESSONS.eyes.classes).all()
    assert {divmod(cell, GRID) for cell in np.nonzero(labels[:, 0])[0]} == {(s.row, s.column) for s in scene.shapes}


def test_each_sentence_of_a_thought_looks_at_its_shape() -> None:
    rng = random.Random(5)
    for exercise in (draw(rng) for draw in (lessons.locate, lessons.measure) for _ in range(40)):
        sentences = [exercise.target[look.start : look.end] for look in exercise.looks]
        shapes = {f" {shape.name}:": shape.row * GRID + shape.column for shape in exercise.scene.shapes}
        assert len(sentences) == exercise.target.count(": left")
        for sentence, look in zip(sentences, exercise.looks, strict=True):
            name, _, edges = sentence.partition(" left ")
            assert shapes[name] == look.cell
            assert edges.endswith(".")


def test_mixtures_are_shares() -> None:
    for progress in (0.0, 0.4, 1.0):
        for stage in lessons.LESSONS.stages:
            assert sum(stage.mixture(progress).values()) == pytest.approx(1)
