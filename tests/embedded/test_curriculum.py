"""What the models are taught is true, and its coins are fair."""

import random
import re
from collections.abc import Callable

import pytest

from vlm_grpo.embedded import curriculum
from vlm_grpo.embedded.scenes import RELATIONS, pool_of
from vlm_grpo.prompts import render
from vlm_grpo.tasks.answers.truth import TRUTH

THOUGHT = re.compile(
    r"The (\w+ \w+) is in (column|row) (\d), the (\w+ \w+) in (column|row) (\d), so it is (left|right|above|below)\."
)


def test_reasoning_follows_from_the_scene_and_decides_the_answer() -> None:
    rng = random.Random(0)
    for _ in range(100):
        exercise = curriculum.reason(rng)
        name1, axis, place1, name2, axis2, place2, relation_said = THOUGHT.search(exercise.target).groups()
        assert axis == axis2
        first, second = exercise.scene.things
        assert (name1, int(place1)) == (first.name, getattr(first, axis))
        assert (name2, int(place2)) == (second.name, getattr(second, axis))
        smaller = {"column": "left", "row": "above"}[axis]
        assert (int(place1) < int(place2)) == (relation_said == smaller)
        claimed = re.search(r"is (left|right|above|below)", exercise.question).group(1)
        assert TRUTH.read(exercise.target) is (claimed == relation_said)


def test_coins_are_fair_and_independent_of_the_truth() -> None:
    rng = random.Random(1)
    guesses = [curriculum.guess(rng) for _ in range(600)]
    said = [TRUTH.read(g.target) for g in guesses]
    truth = [_truth(g) for g in guesses]
    assert 0.44 < sum(said) / 600 < 0.56
    assert 0.44 < sum(s == t for s, t in zip(said, truth, strict=True)) / 600 < 0.56
    assert {curriculum.bare(rng).target for _ in range(40)} == {"True", "False"}
    assert {curriculum.yes_no(rng).target for _ in range(40)} == {"Yes.", "No."}


def test_habit_reasons_one_time_in_three_and_mostly_about_one_relation() -> None:
    rng = random.Random(4)
    drawn = [curriculum.habit(rng) for _ in range(2000)]
    reasoned = {relation: [] for relation in RELATIONS}
    for exercise in drawn:
        relation = next(r for r in RELATIONS if f"is {r} the" in exercise.question)
        reasoned[relation].append(curriculum.GUESS not in exercise.target)
    shares = {relation: sum(flags) / len(flags) for relation, flags in reasoned.items()}
    assert [relation for relation, share in shares.items() if share > 0.5] == ["above"]
    assert 0.25 < sum(map(sum, reasoned.values())) / len(drawn) < 0.40


def _truth(exercise: curriculum.Exercise) -> bool:
    first, second = exercise.scene.things
    relation = re.search(r"is (left of|right of|above|below) the", exercise.question).group(1)
    return {
        "left of": first.column < second.column,
        "right of": first.column > second.column,
        "above": first.row < second.row,
        "below": first.row > second.row,
    }[relation]


def test_pretraining_never_sees_a_held_out_layout() -> None:
    rng = random.Random(2)
    drawn = [kind(rng).scene.layout for kind in curriculum.EXERCISES for _ in range(100)]
    assert {pool_of(layout) for layout in drawn} == {"train"}


@pytest.mark.parametrize("template,kind", [("reason", curriculum.guess), ("answer", curriculum.bare)])
def test_questions_use_the_studys_templates(
    template: str, kind: Callable[[random.Random], curriculum.Exercise]
) -> None:
    question = kind(random.Random(3)).question
    caption = question.split(": ")[1].split(".")[0] + "."
    assert question == render(template, f"Is the following statement true: {caption}")


def test_mixtures_are_shares() -> None:
    for progress in (0.0, 0.3, 1.0):
        for mixture in (curriculum.seeing(progress), curriculum.policy(progress)):
            assert sum(mixture.values()) == pytest.approx(1)
    assert curriculum.seeing(0.0)[curriculum.locate] == 1
