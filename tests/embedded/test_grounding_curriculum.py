"""What the embedded finder is taught: measuring is right and earns everything, a rough answer earns a part."""

import random
from collections import Counter

import numpy as np
import pytest

from vlm_grpo.embedded import grounding_curriculum as lessons
from vlm_grpo.embedded.grounding_questions import TAUGHT, VIEW, as_row, asks
from vlm_grpo.embedded.lessons import Exercise
from vlm_grpo.embedded.scenes import GRID, pool_of
from vlm_grpo.prompts import render
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.registry import task_of


def row_of(exercise: Exercise) -> Row:
    """The row whose prompt the exercise asks."""
    for kind in TAUGHT:
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
    assert {row.task for row, outcome in outcomes(lessons.measure) if outcome.credit == 1.0} == set(TAUGHT)
    assert all(outcome.right and outcome.credit == 1.0 for _, outcome in outcomes(lessons.measure))


def test_a_rough_answer_can_be_read_and_earns_less() -> None:
    earned = {kind: [] for kind in TAUGHT}
    for row, outcome in outcomes(lessons.roughly):
        assert outcome.said is not None
        earned[row.task].append(outcome.credit)
    assert 0.3 < np.mean(earned["rec"]) < 0.5
    assert all(np.mean(credits) < 0.6 for credits in earned.values())


def test_thoughts_name_the_edges_that_the_answer_has() -> None:
    rng = random.Random(1)
    for exercise in (lessons.locate(rng) for _ in range(50)):
        name = exercise.question.split('"')[1]
        (shape,) = (shape for shape in exercise.scene.shapes if shape.name == name)
        left, top, right, bottom = (edge // 2 for edge in shape.box)
        assert exercise.target == f"The {name}: left {left}, top {top}, right {right}, bottom {bottom}."


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


def test_mixtures_are_shares() -> None:
    for progress in (0.0, 0.4, 1.0):
        for stage in lessons.LESSONS.stages:
            assert sum(stage.mixture(progress).values()) == pytest.approx(1)
