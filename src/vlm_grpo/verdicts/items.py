"""What a judge is asked about: one answer of a model to one row."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Item:
    """One row of one arm.

    Attributes:
        truth: the row's true answer as its task writes it.
        right: whether the model's answer is right; None where none could be read.
        rule: how the answer was read (`vlm_grpo.tasks.answers.rules`).
        unjudgeable: why there is nothing to ask about; None where there is.
    """

    row_id: str
    model: str
    question: str
    truth: str
    right: bool | None
    rule: str
    images: tuple[str, ...]
    reasoning: str
    answer: str
    unjudgeable: str | None
