"""`double_check`: a second turn that asks the model to verify its answer (r1_vlm's digits with a double check).

Unlike r1_vlm's, it writes no opening of the model's second answer for it: those words would stand in the model's turn
without being the model's, and the format asks it to think by itself.
"""

from collections.abc import Sequence

from PIL import Image

from vlm_grpo.environments.base import Environment, Reply

QUESTION = (
    "Are you sure? Look at the image again and verify your answer step by step. "
    "Put the reasoning inside <think> </think>, then put the final answer, corrected or not, inside <answer> </answer>."
)


def respond(said: Sequence[str], pictures: Sequence[Image.Image]) -> Reply | None:
    """`QUESTION` after the first turn, whatever it said; nothing after the second."""
    return Reply(text=QUESTION) if len(said) == 1 else None


ENVIRONMENT = Environment(name="double_check", respond=respond)
