"""What the reader of digits is taught is true of its picture, and its guesses know nothing of it."""

import json
import random
import re

import numpy as np
import pytest

from vlm_grpo.embedded import digit_scenes, digits_curriculum
from vlm_grpo.embedded.curriculum import GUESS
from vlm_grpo.embedded.lessons import Draw, Exercise
from vlm_grpo.prompts import render
from vlm_grpo.tasks.blocks import answer_block
from vlm_grpo.tasks.digits.glyphs import pool_of
from vlm_grpo.tasks.digits.questions import ASKS, PROBLEMS, QUESTIONS

SEEN = re.compile(r"<think> I see ([\d, and]+)\.")


def question_of(exercise: Exercise) -> str:
    return next(question for question in QUESTIONS if exercise.question.startswith(PROBLEMS[question]))


def test_reasoning_reads_the_scene_and_leads_to_the_answer() -> None:
    rng = random.Random(0)
    for _ in range(200):
        exercise = digits_curriculum.reason(rng)
        digits = exercise.scene.digits
        assert [int(digit) for digit in re.findall(r"\d", SEEN.match(exercise.target).group(1))] == list(digits)
        answer = json.loads(answer_block(exercise.target))
        if question_of(exercise) == "list":
            assert answer == sorted(digits)
            ordered = re.search(r"In order: ([\d, ]+)\.", exercise.target).group(1)
            assert f"[{ordered}]" == answer_block(exercise.target)
        else:
            assert answer == sum(digits)
            steps = re.findall(r"(\d+) \+ (\d+) = (\d+)", exercise.target)
            assert [int(a) + int(b) for a, b, _ in steps] == [int(c) for _, _, c in steps]
            assert len(steps) == len(digits) - 1


def test_words_of_the_reasoning() -> None:
    thought = digits_curriculum.thought_on
    assert thought((7, 3, 8), "list") == "I see 7, 3 and 8. In order: 3, 7, 8."
    assert thought((7, 3, 8), "sum") == "I see 7, 3 and 8. 7 + 3 = 10, 10 + 8 = 18."
    assert thought((7,), "sum") == "I see 7."


def test_guesses_have_the_form_of_solutions_and_are_rarely_right() -> None:
    rng = random.Random(1)
    forms = {"list": re.compile(r"\[\d(?:, \d){0,2}\]"), "sum": re.compile(r"\d|1\d|2[0-7]")}
    for draw, read in ((digits_curriculum.guess, answer_block), (digits_curriculum.bare, str)):
        right = []
        for exercise in (draw(rng) for _ in range(500)):
            answer, question = read(exercise.target), question_of(exercise)
            assert forms[question].fullmatch(answer)
            digits = exercise.scene.digits
            right.append(json.loads(answer) == (sorted(digits) if question == "list" else sum(digits)))
        assert sum(right) / 500 < 0.1


def test_habit_reasons_about_one_time_in_three_and_mostly_on_one_question() -> None:
    rng = random.Random(4)
    reasoned = {question: [] for question in QUESTIONS}
    for exercise in (digits_curriculum.habit(rng) for _ in range(1500)):
        reasoned[question_of(exercise)].append(GUESS not in exercise.target)
    shares = {question: sum(flags) / len(flags) for question, flags in reasoned.items()}
    assert [question for question, share in shares.items() if share > 0.5] == ["list"]
    assert min(shares.values()) > 0.1
    assert 0.25 < sum(map(sum, reasoned.values())) / 1500 < 0.45


def test_pretraining_draws_glyphs_of_the_training_pool_only() -> None:
    rng = random.Random(2)
    drawn = {index for _ in range(500) for index in digit_scenes.draw(rng).glyphs}
    assert {pool_of(index) for index in drawn} == {"train"}


def test_cells_hold_the_digits_in_reading_order() -> None:
    rng = random.Random(3)
    for _ in range(100):
        scene = digit_scenes.draw(rng)
        classes = digits_curriculum.cell_classes(scene)
        assert [one - 1 for one in classes if one] == list(scene.digits)
        for cell in scene.cells:
            y, x = 25 * (cell // 4), 25 * (cell % 4)
            assert scene.picture[y : y + 25, x : x + 25].max() > 100


def test_bending_keeps_a_glyph_recognisable_but_never_the_same() -> None:
    glyph = digit_scenes.source().images[0]
    bent = [digit_scenes._bent(glyph, random.Random(seed)).astype(float) for seed in range(8)]
    for one in bent:
        assert not np.array_equal(one, glyph)
        assert np.corrcoef(one.ravel(), glyph.ravel())[0, 1] > 0.5


@pytest.mark.parametrize("template, draw", [("reason", digits_curriculum.guess), ("answer", digits_curriculum.bare)])
def test_questions_use_the_studys_templates(template: str, draw: Draw) -> None:
    exercise = draw(random.Random(3))
    question = question_of(exercise)
    assert exercise.question == render(template, PROBLEMS[question], asks=ASKS[question])


def test_mixtures_are_shares() -> None:
    for progress in (0.0, 0.5, 1.0):
        for mixture in (digits_curriculum.reasoning(progress), digits_curriculum.policy(progress)):
            assert sum(mixture.values()) == pytest.approx(1)
