"""What the embedded decoder is taught is true of its picture, and its guesses know nothing of it."""

import random
import re
from collections import Counter

import numpy as np
import pytest

from vlm_grpo.embedded import cryptogram_curriculum as lessons
from vlm_grpo.embedded.cipher_scenes import LETTERS, CipherScene, cells_of, draw_message, draw_scene, render_array
from vlm_grpo.embedded.curriculum import GUESS
from vlm_grpo.embedded.lessons import Exercise
from vlm_grpo.prompts import render
from vlm_grpo.rewards.registry import REWARDS
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.blocks import answer_block
from vlm_grpo.tasks.cryptogram.cipher import ALPHABET, decode, is_message, pool_of
from vlm_grpo.tasks.cryptogram.decoding import chars_block
from vlm_grpo.tasks.cryptogram.questions import ASKS, NAME, PROBLEMS, problem

CODE = re.compile(r"Decode it: ((?:[a-z_] ?)+) Think")


def code_of(exercise: Exercise) -> str:
    return CODE.search(exercise.question).group(1).strip()


def truth_of(exercise: Exercise) -> str:
    code = code_of(exercise).replace(" ", "").replace("_", " ")
    return decode(code, exercise.scene.mapping, LETTERS)


def row_of(exercise: Exercise) -> Row:
    meta = {"kind": "sequence", "code": code_of(exercise), "mapping": ALPHABET}
    return Row(id="r", images=(), problem="?", solution=truth_of(exercise), task=NAME, meta=meta)


def test_reasoning_looks_every_letter_up_and_earns_every_reward() -> None:
    rng = random.Random(0)
    for _ in range(200):
        exercise = lessons.reason(rng)
        mapping = dict(zip(LETTERS, exercise.scene.mapping, strict=True))
        spelled = re.search(r"Letter by letter: (.*?) <chars>", exercise.target).group(1).split()
        assert [pair[0] for pair in spelled] == code_of(exercise).split()
        assert all(pair == "_" or mapping[pair[0]] == pair[1] for pair in spelled)
        for name in ("decoding", "correctness", "soft_correctness", "chars_format", "accuracy"):
            assert REWARDS[name].score(exercise.target, row_of(exercise), rule="strict") == 1.0


def test_copies_are_the_hack_that_the_gate_refuses() -> None:
    rng = random.Random(1)
    pay = {name: [] for name in ("decoding", "decoding_ungated", "chars_format")}
    for _ in range(200):
        exercise = lessons.copy(rng)
        assert chars_block(exercise.target) == code_of(exercise)
        for name, earned in pay.items():
            earned.append(REWARDS[name].score(exercise.target, row_of(exercise), rule="strict"))
    assert np.mean(pay["decoding"]) == pytest.approx(0, abs=0.01)
    assert np.mean(pay["decoding_ungated"]) > 0.4
    assert set(pay["chars_format"]) == {1.0}


def test_guesses_are_messages_and_rarely_right() -> None:
    rng = random.Random(2)
    right = []
    for _ in range(500):
        exercise = lessons.guess(rng)
        said = answer_block(exercise.target)
        assert is_message(said)
        assert chars_block(exercise.target) == said
        right.append(said == truth_of(exercise))
    assert sum(right) / 500 < 0.02


def test_habit_seldom_reasons_and_sometimes_copies() -> None:
    rng = random.Random(3)
    starts = Counter()
    for _ in range(2000):
        target = lessons.habit(rng).target
        starts[next(start for start in (GUESS, lessons.COPY, lessons.REASONING_START) if start in target)] += 1
    assert starts[lessons.REASONING_START] / 2000 == pytest.approx(lessons.REASONS, abs=0.03)
    assert starts[lessons.COPY] / 2000 == pytest.approx(lessons.COPIES, abs=0.03)


def test_pretraining_meets_the_training_pool_only() -> None:
    rng = random.Random(4)
    for exercise in (lessons.reason(rng) for _ in range(200)):
        assert pool_of(exercise.scene.mapping) == "train"
        assert pool_of(truth_of(exercise)) == "train"
    assert {pool_of(draw_message(rng, pool="test")), pool_of(draw_scene(rng, pool="test").mapping)} == {"test"}


def test_reading_names_the_pairs_that_are_shown_and_no_other() -> None:
    rng, counts = random.Random(5), set()
    for exercise in (lessons.read(rng) for _ in range(60)):
        pairs = exercise.target.removeprefix(f"{lessons.REASONING_START} ").split()
        mapping = dict(zip(LETTERS, exercise.scene.mapping, strict=True))
        assert pairs == [code + mapping[code] for code in sorted(exercise.scene.codes)]
        assert sum(map(bool, cells_of(exercise.scene))) == len(pairs)
        counts.add(len(pairs))
    assert counts == set(range(1, len(LETTERS) + 1))


def test_a_picture_shows_each_pair_in_its_cell_and_nothing_else() -> None:
    scene = draw_scene(random.Random(6), pool="train")
    picture, classes = render_array(scene), cells_of(scene)
    assert picture.shape == (112, 112, 3)
    assert sum(map(bool, classes)) == len(LETTERS)
    for cell, number in enumerate(classes):
        y, x = cell // 4 * 28, cell % 4 * 28
        tile = picture[y : y + 28, x : x + 28].astype(int)
        is_dark = (tile.min(axis=2) < 100).any()
        assert is_dark == bool(number)


def test_one_letter_changes_one_tile() -> None:
    scene = CipherScene(mapping="tsronaie"[::-1], cells=(0, 3, 5, 6, 9, 10, 12, 15))
    swapped = CipherScene(mapping=scene.mapping[1] + scene.mapping[0] + scene.mapping[2:], cells=scene.cells)
    changed = np.argwhere((render_array(scene) != render_array(swapped)).any(axis=2)) // 28
    assert {tuple(cell) for cell in changed.tolist()} == {(0, 0), (0, 3)}
    assert sum(a != b for a, b in zip(cells_of(scene), cells_of(swapped), strict=True)) == 2


def test_questions_are_worded_as_the_task_words_them() -> None:
    exercise = lessons.guess(random.Random(7))
    assert exercise.question == render("reason", problem("sequence", code_of(exercise)), asks=ASKS["sequence"])
    bare = lessons.bare(random.Random(7))
    assert bare.question.startswith(PROBLEMS["sequence"])


def test_mixtures_are_shares() -> None:
    for progress in (0.0, 0.5, 1.0):
        for stage in lessons.LESSONS.stages:
            assert sum(stage.mixture(progress).values()) == pytest.approx(1)
