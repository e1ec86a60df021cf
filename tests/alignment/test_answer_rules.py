import pytest

from vlm_grpo.alignment.answer_rules import is_answer_correct, is_correct, published_answer


@pytest.mark.parametrize(
    "response, answer",
    [
        ("It sits on it.\nAnswer: True", "True"),
        ("It sits on it.\nFinal Answer:True", "True"),
        ("Answer: True. The donut\nAnswer: False", "True"),
        ("It sits on it.\n\nFalse\n", "False"),
        ("Answer: >False", "Answer: >False"),
        ("Answer:", "Answer:"),
        ("", ""),
    ],
)
def test_published_rule(response, answer):
    assert published_answer(response) == answer


@pytest.mark.parametrize(
    "answer, published, strict",
    [
        ("True", True, True),
        ("false", False, False),
        ("True.", True, True),
        ("True. The donut is on it", True, None),
        ("Final Answer:True", True, None),
        (">False", False, False),
        ("No", False, None),
        ("Unknown", False, None),
        ("", False, None),
    ],
)
def test_rules_on_an_answer_that_stands_alone(answer, published, strict):
    assert is_answer_correct(answer, True, "published") is published
    assert is_answer_correct(answer, True, "strict") is strict


def test_strict_reads_tags_and_polished_responses():
    assert is_correct("<think> a </think> <answer> False </answer>", False, "strict") is True
    assert is_correct("It is not.\nAnswer: False", False, "strict") is True
    assert is_correct("It is not.", False, "strict") is None
