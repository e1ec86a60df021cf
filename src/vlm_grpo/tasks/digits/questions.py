"""The two questions about a picture of digits: their wording, what they ask for, their solutions."""

from collections.abc import Sequence
from typing import Literal

from vlm_grpo.tasks.answers.number import NUMBER, NUMBERS

NAME = "digits"
Question = Literal["list", "sum"]

MOST = 3
"""The largest number of digits in a picture."""
QUESTIONS: tuple[Question, ...] = ("list", "sum")
PROBLEMS: dict[Question, str] = {
    "list": "Which digits does the picture show? List them in ascending order.",
    "sum": "What is the sum of the digits in the picture?",
}
ASKS: dict[Question, str] = {"list": NUMBERS.asks, "sum": NUMBER.asks}
"""What the `reason` prompt says of the final answer."""


def solution_of(question: Question, digits: Sequence[int]) -> str:
    """The right answer about `digits`, in any order: "[3, 7, 7]" (ascending, digits may repeat) or "17"."""
    return str(sorted(digits)) if question == "list" else str(sum(digits))
