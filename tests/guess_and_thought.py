"""Generations of a base that guesses and of a GRPO arm that reasons, for the judge and what follows it."""

import json
from pathlib import Path

CLAIM = "Is the following statement true: The red circle is left of the blue square."
THOUGHTS = {
    "base": "I will guess.",
    "grpo": "The red circle is in column 1, the blue square in column 3, so it is left.",
}
ROWS = 8


def save_guess_and_thought(folder: Path) -> list[str]:
    """Write `base.jsonl` and `grpo.jsonl`, right on each of `ROWS` rows; returns the arguments that name them."""
    arguments: list[str] = []
    for arm, thought in THOUGHTS.items():
        row = {
            "split": "test",
            "model": arm,
            "images": [],
            "problem": CLAIM,
            "solution": "True",
            "text": f"<think> {thought} </think> <answer> True </answer>",
            "finish_reason": "stop",
        }
        path = folder / f"{arm}.jsonl"
        path.write_text("".join(json.dumps({**row, "id": f"row-{number}"}) + "\n" for number in range(ROWS)))
        arguments += ["--generations", f"{arm}={path}"]
    return arguments
