"""Formulas: what is one, which are the same, and a reader that always comes back, in any thread."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from vlm_grpo.tasks.answers import formula_process
from vlm_grpo.tasks.answers.formula import FORMULA, parse, same

ENDLESS = "9^{9^{9^9}}"


@pytest.mark.parametrize(
    "stated, strict, relaxed",
    [
        (r"\frac12", r"\frac12", r"\frac12"),
        ("$x^2 + 1$.", "x^2 + 1", "x^2 + 1"),
        ("140°", r"140^\circ", r"140^\circ"),
        ("3 meters", "3 meters", "3 meters"),
        (r"\sin x", r"\sin x", r"\sin x"),
        (r"Thus the area is \boxed{\frac{1}{2}}", None, r"\frac{1}{2}"),
        ("So it must be $5$", None, "5"),
        ("$4$ or $5$", None, None),
        ("the answer is 5", None, None),
        ("triangle", None, None),
        ("((((", None, None),
        ("", None, None),
        ("1" * 2000, None, None),
    ],
)
def test_a_formula_is_read_and_words_are_none(stated, strict, relaxed):
    assert [FORMULA.read(f"<answer>{stated}</answer>", rule) for rule in ("strict", "relaxed")] == [strict, relaxed]


@pytest.mark.parametrize(
    "truth, said, equal",
    [
        ("(x+1)^2", "x^2 + 2x + 1", True),
        ("3:4", "0.75", True),
        (r"\{1, 2\}", "2, 1", True),
        ("[1, 2]", "(1, 2)", False),
        ("5", "5, 6", False),
        ("x < 5", r"(-\infty, 5)", True),
        (r"(-\infty, 5)", "x < 5", False),
    ],
)
def test_the_truth_is_the_gold_and_the_answer_is_held_to_it(truth, said, equal):
    """The last two are one pair in both orders: a swapped comparison would give the opposite."""
    assert same(parse(said, relaxed=False), parse(truth, relaxed=False)) is equal


def test_what_takes_for_ever_is_not_the_same_in_any_thread():
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda n: same(f"{n}", "2") if n else same(f"{ENDLESS} + 2", "3"), range(4)))
    assert answers == [False, False, True, False]


def test_a_process_that_does_not_answer_is_ended_and_replaced(monkeypatch):
    process = formula_process.FormulaProcess()
    monkeypatch.setattr(formula_process, "PATIENCE", 0.2)
    assert process.ask("same", "3", f"{ENDLESS} + 3") is None
    assert process._process.poll() is not None
    monkeypatch.setattr(formula_process, "_running", {})
    assert formula_process.ask("same", "3", f"{ENDLESS} + 4") is None
    assert formula_process._running == {}
    monkeypatch.undo()
    assert formula_process.ask("same", "3", "1 + 2") is True
