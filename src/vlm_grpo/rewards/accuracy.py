"""`accuracy`: 1 when the completion states the solution's truth value, else 0.

Reads the answer with the package's one extractor, so a model is never rewarded for what evaluation would not count.
"""

from vlm_grpo.rewards.base import Reward
from vlm_grpo.tasks.answers.truth import Rule, extract_answer, solution_value


def score(completion: str, solution: str, *, rule: Rule) -> float:
    """1.0 for the right answer under `rule`; 0.0 for a wrong one and for a completion that states none."""
    return float(extract_answer(completion, rule) == solution_value(solution, where="accuracy reward"))


ACCURACY = Reward(
    name="accuracy",
    score=score,
    minimum=0.0,
    maximum=1.0,
    gold=(
        ("<think> It is left of it. </think> <answer> True </answer>", "<answer> True </answer>"),
        ("<think>It is above it.</think><answer>false</answer>", "False"),
        ("<answer> True </answer>", "Yes."),
    ),
    hacks=(
        ("True", "<answer> True </answer>"),
        ("<answer> True False </answer>", "<answer> True </answer>"),
        ("<answer> True </answer> <answer> False </answer>", "<answer> True </answer>"),
        ("<answer> False </answer> <answer> True </answer>", "<answer> True </answer>"),
        ("<answer> not False </answer>", "<answer> True </answer>"),
        ("<answer> True", "<answer> True </answer>"),
        ("</answer> True <answer>", "<answer> True </answer>"),
        ("<answer></answer>", "<answer> True </answer>"),
        ("", "<answer> False </answer>"),
    ),
)
