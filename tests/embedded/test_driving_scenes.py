"""Roads: boxes are tight around what is painted, the picture is a pure function, questions are answered by it."""

import random

import numpy as np
import pytest

from vlm_grpo.embedded.driving_questions import KINDS, QUESTIONS, TERSE_SHARES, draw_question, thorough
from vlm_grpo.embedded.driving_scenes import CELL, SHAPES, SHIFTS, DrivingScene, Thing, draw_scene, render, seen
from vlm_grpo.embedded.scenes import COLOURS, GRID, pool_of
from vlm_grpo.tasks.driving.spelling import boxes_in


def painted(*things: Thing) -> np.ndarray:
    return (np.asarray(render(DrivingScene(things))) != np.asarray(render(DrivingScene(())))).any(axis=2)


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("colour", COLOURS)
def test_a_box_is_tight_around_what_is_painted_and_inside_its_cell(colour: str, kind: str) -> None:
    for dx, dy in zip(SHIFTS, reversed(SHIFTS), strict=True):
        thing = Thing(colour=colour, kind=kind, column=2, row=1, dx=dx, dy=dy)
        ys, xs = np.nonzero(painted(thing))
        left, top, right, bottom = thing.box
        assert (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) == thing.box
        assert 2 * CELL <= left < right <= 3 * CELL
        assert CELL <= top < bottom <= 2 * CELL
        assert all(edge % 2 == 0 for edge in thing.box)


def test_things_are_painted_apart_and_the_same_scene_gives_the_same_pixels() -> None:
    rng = random.Random(0)
    for scene in (draw_scene(rng, pool="train") for _ in range(20)):
        assert (painted(*scene.things) == np.any([painted(thing) for thing in scene.things], axis=0)).all()
        assert (np.asarray(render(scene)) == np.asarray(render(scene))).all()
        assert seen(scene).shape == (112, 112, 3)


def test_scenes_and_questions_are_seeded_and_of_their_pool() -> None:
    for pool in ("train", "validation", "test"):
        ones, others = ([draw_question(random.Random(5), pool=pool) for _ in range(2)] for _ in range(2))
        assert ones == others
        rng = random.Random(1)
        assert {pool_of(draw_question(rng, pool=pool).scene.layout) for _ in range(30)} == {pool}


def test_a_layout_is_the_one_that_the_first_model_knew_it_by() -> None:
    car, light = Thing("red", "car", 0, 3, dx=4), Thing("blue", "light", 2, 1)
    assert DrivingScene((car, light)).layout == "blue circle 3,2; red square 1,4"


def test_one_or_two_of_three_or_four_options_are_right_and_the_picture_says_which() -> None:
    rng = random.Random(2)
    drawn = [draw_question(rng, pool="train") for _ in range(600)]
    assert {(len(q.options), len(q.right)) for q in drawn} == {(3, 1), (3, 2), (4, 1), (4, 2)}
    assert {q.kind for q in drawn} == set(KINDS) == set(QUESTIONS)
    for question in drawn:
        assert len({thing.name for thing in question.options}) == len(question.options)
        for letter, thing in zip(question.letters, question.options, strict=True):
            along = thing.column if question.kind == "left" else thing.row
            assert (letter in question.right) == (along < GRID / 2)


def test_no_letter_and_no_number_of_letters_gives_the_answer_away() -> None:
    rng = random.Random(3)
    drawn = [draw_question(rng, pool="train") for _ in range(2000)]
    for letter in "ABC":
        three = [q for q in drawn if len(q.options) == 3]
        assert np.mean([letter in q.right for q in three]) == pytest.approx(0.5, abs=0.06)
    assert np.mean([len(q.right) == 1 for q in drawn]) == pytest.approx(0.5, abs=0.05)


def test_thorough_explanations_name_every_option_and_terse_ones_are_as_frequent_as_said() -> None:
    rng = random.Random(4)
    drawn = [draw_question(rng, pool="train") for _ in range(1500)]
    for question in drawn[:50]:
        boxes = {box["label"]: box["bbox_2d"] for box in boxes_in(thorough(question, boxes=True))}
        assert boxes == {thing.name: list(thing.box) for thing in question.options}
        assert not boxes_in(thorough(question, boxes=False))
    for kind, share in TERSE_SHARES.items():
        assert np.mean([q.is_terse for q in drawn if q.kind == kind]) == pytest.approx(share, abs=0.06)
