"""The rewards known by name. A new reward is one file with a `REWARD` and one line here: its module's name.

A file whose rewards differ in a setting only has several of them in `REWARDS`.
"""

from importlib import import_module

from vlm_grpo.errors import UserError
from vlm_grpo.rewards.base import Reward

MODULES = (
    "accuracy",
    "credit",
    "format",
    "answer_only",
    "line_format",
    "decoding",
    "correctness",
    "detection",
    "masks",
    "text_answers",
    "llm",
    "length",
    "repetition",
    "iou",
    "spoken_boxes",
    "consistency",
)
"""Below `vlm_grpo.rewards`."""


def _of(module: str) -> tuple[Reward, ...]:
    content = import_module(f"vlm_grpo.rewards.{module}")
    return content.REWARDS if hasattr(content, "REWARDS") else (content.REWARD,)


REWARDS: dict[str, Reward] = {reward.name: reward for module in MODULES for reward in _of(module)}


def by_names(names: list[str]) -> list[Reward]:
    """The rewards called `names`, in order; an unknown or repeated name, or none at all, is a `UserError`."""
    unknown = [name for name in names if name not in REWARDS]
    if unknown:
        raise UserError(f"unknown reward {unknown[0]!r}; known: {', '.join(REWARDS)}")
    if len(set(names)) != len(names):
        raise UserError(f"a reward is named twice in {names}; name each once and weigh it with reward_weights")
    if not names:
        raise UserError(f"no reward is named; give at least one of {', '.join(REWARDS)}")
    return [REWARDS[name] for name in names]
