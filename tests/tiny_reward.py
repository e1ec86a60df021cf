"""A reward that a random model, which never answers, earns in different amounts, so that its policy moves."""

from vlm_grpo.rewards.base import Reward

VOWELS = Reward(
    name="vowels",
    score=lambda completion, row, rule, view=None: float(sum(c in "aeiou" for c in completion)),
    minimum=0.0,
    maximum=99.0,
    gold=(),
    hacks=(),
)

ITS_ROW = Reward(
    name="its_row",
    score=lambda completion, row, rule, view=None: float(row.id) * 100 + len(completion),
    minimum=0.0,
    maximum=9999.0,
    gold=(),
    hacks=(),
)
"""Tells which row a completion was scored against, whose ids are numbers."""
