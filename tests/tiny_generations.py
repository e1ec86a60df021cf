"""Rows and generations made by hand, for whatever reads them without a model."""

from typing import Any

from vlm_grpo.datasets.records import Row
from vlm_grpo.evaluation.generations import Generation

TEXT = {
    True: "<think> It is. </think> <answer> True </answer>",
    False: "<think> It is not. </think> <answer> False </answer>",
    None: "<think> It may be. </think> <answer> both",
}


def make_row(number: int, solution: bool, relation: str | None = None) -> Row:
    """A row whose true answer is `solution`."""
    return Row(
        id=f"r{number}",
        images=("images/red.png",),
        problem="Is the following statement true: The red circle is here.",
        solution=f"<answer> {solution} </answer>",
        task="vsr",
        meta={} if relation is None else {"relation": relation},
    )


def make_generation(row: Row, answer: bool | None, **changes: Any) -> Generation:
    """A completion of `row` that answers True, False or (None) unreadably."""
    told = {
        "id": row.id,
        "split": "validation",
        "model": "m",
        "model_fingerprint": "f",
        "adapter_fingerprint": None,
        "prompt": "reason",
        "sampling": {},
        "images": row.images,
        "problem": row.problem,
        "solution": row.solution,
        "prompt_hash": "h",
        "text": TEXT[answer],
        "prompt_tokens": 10,
        "completion_tokens": 4,
        "finish_reason": "stop",
    }
    return Generation(**(told | changes))
