"""The rewards known by name. A new reward is one file and one line here."""

from vlm_grpo.errors import UserError
from vlm_grpo.rewards.accuracy import ACCURACY
from vlm_grpo.rewards.base import Reward
from vlm_grpo.rewards.format import FORMAT

REWARDS = {reward.name: reward for reward in (ACCURACY, FORMAT)}


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
