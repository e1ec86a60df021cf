"""Prompts: the study's wording stays, and a task may ask for another kind of answer."""

from vlm_grpo.prompts import REASON_TRUE_FALSE, messages, render

INSTRUCTION = (
    "Think about the image first and put your reasoning inside <think> </think>, "
    "then put the final answer, {}, inside <answer> </answer>."
)


def test_reason_asks_for_a_truth_value_unless_told_otherwise() -> None:
    assert INSTRUCTION.format("True or False") == REASON_TRUE_FALSE
    assert render("reason", "Is it?") == f"Is it? {REASON_TRUE_FALSE}"
    assert render("reason", "How many?", asks="a whole number") == "How many? " + INSTRUCTION.format("a whole number")


def test_a_problem_is_used_verbatim_even_where_it_looks_like_a_template() -> None:
    problem = "What do {asks} and {problem} mean?"
    assert render("answer", problem) == problem
    assert render("reason", problem, asks="a word") == f"{problem} {INSTRUCTION.format('a word')}"


def test_messages_put_what_is_asked_for_into_the_users_turn() -> None:
    (turn,) = messages("reason", "How many?", images=2, asks="a whole number")
    assert [part["type"] for part in turn["content"]] == ["image", "image", "text"]
    assert turn["content"][-1]["text"] == "How many? " + INSTRUCTION.format("a whole number")
