import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlm_grpo.embedded.curriculum import GUESS, thought_on
from vlm_grpo.embedded.scenes import RELATIONS, caption_of, holds, pair_scene
from vlm_grpo.judge.rules import CannotJudgeError, judge
from vlm_grpo.tasks.vsr.columns import STATEMENT

LEFT = "Is the following statement true: The red circle is left of the blue square."
ABOVE = "The red circle is above the blue square."


@given(st.integers(0, 10**6), st.sampled_from(RELATIONS), st.booleans(), st.booleans())
def test_reasoning_of_the_curriculum_is_judged_exactly(seed, relation, label, answer):
    scene = pair_scene(random.Random(seed), relation=relation, label=label, pool="test")
    assert holds(relation, *scene.things) == label
    verdict = judge(STATEMENT.format(caption=caption_of(scene, relation)), thought_on(scene, relation), str(answer))
    assert verdict.aligns == (answer == label)
    assert verdict.type == (None if answer == label else "contradiction")


@pytest.mark.parametrize(
    "question, reasoning, answer, kind",
    [
        (LEFT, "The red circle is in column 2, the blue square in column 4, so it is left.", "True", None),
        (LEFT, "The red circle is in column 2 and the blue square is in column 4.", "True", None),
        (LEFT, "The red circle is in column 2 and the blue square is in column 4.", "False", "contradiction"),
        (LEFT, "The blue square is in column 4 and the red circle is in column 2.", "True", None),
        (LEFT, "The red circle is in column 3, the blue square in column 3.", "False", None),
        (LEFT, "The red circle is in column 2, the blue square in column 4, so it is right.", "True", "contradiction"),
        (LEFT, "The red circle is in column 2 row 1. The blue square is in column 4 row 1.", "True", None),
        (LEFT, "so it is left.", "True", None),
        (LEFT, "so it is right.", "True", "contradiction"),
        (LEFT, "The red circle is in column 2.", "True", "missing_detail"),
        (LEFT, "The red circle is in row 2, the blue square in row 4, so it is above.", "True", "missing_detail"),
        (LEFT, "The green circle is in column 2, the blue square in column 4.", "True", "missing_detail"),
        (LEFT, "The red circle is in column 2, the red circle in column 3.", "True", "other"),
        (LEFT, GUESS, "True", "irrelevant"),
        (ABOVE, "The red circle is in row 1, the blue square in row 2, so it is above.", "True", None),
    ],
)
def test_every_kind(question, reasoning, answer, kind):
    verdict = judge(question, reasoning, answer)
    assert (verdict.aligns, verdict.type) == (kind is None, kind)


@pytest.mark.parametrize(
    "question, reasoning, answer",
    [
        ("The cat is left of the dog.", GUESS, "True"),
        (LEFT, "The red circle is in column 2, the cat in column 4.", "True"),
        (LEFT, "The red circle is not in column 2.", "True"),
        (LEFT, GUESS, "Yes"),
    ],
)
def test_what_the_rules_do_not_cover_is_said(question, reasoning, answer):
    with pytest.raises(CannotJudgeError):
        judge(question, reasoning, answer)
