"""Groupwise ranking: among the right completions of a group, those that another reward puts first earn more.

What the k right ones earn is r + alpha (1/2 - rank / (k - 1)), rank 0 for the best and ties in the middle of their
ranks: the group earns what it did before, alpha below 2 keeps what is right above what is wrong and else alike, and a
group that is right throughout still teaches. A lone right one keeps what it has, and so does one that the reward cannot
score. Right is what `accuracy` says.

In the spirit of group-wise ranking rewards for reliable reasoning (arXiv 2604.18892), where a judge ranks all right
completions in one call; how that paper spreads the reward is not public here, and this formula is ours. Ranks come from
a reward by name (`consistency`, `repetition`, `length` ...), not from a judge's ranking of several texts.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from scipy.stats import rankdata
from trl import GRPOConfig

from vlm_grpo.errors import UserError
from vlm_grpo.methods.grpo.arguments import WatchArguments
from vlm_grpo.methods.grpo.completions import Rollouts
from vlm_grpo.methods.grpo.constraints import normalised
from vlm_grpo.rewards import registry
from vlm_grpo.rewards.base import Reward

RIGHT = "accuracy"


@dataclass(frozen=True)
class Ranking:
    """Ranks right completions by the reward `by`; `weights` are those of all rewards by name."""

    by: str
    alpha: float
    weights: Mapping[str, float]

    def apply(self, rollouts: Rollouts, *, group: int) -> tuple[torch.Tensor, dict[str, float]]:
        """Put what is learnt from into `rollouts`; the advantages (B,), and what is logged.

        `rollouts` are those of all processes, in whole groups of `group`. The log has the share of groups in which
        right completions are told apart.
        """
        each = torch.tensor([rollouts.rewards[name] for name in self.weights])
        earned = (each * torch.tensor(list(self.weights.values()))[:, None]).nansum(0)
        earned[each.isnan().all(0)] = torch.nan
        right, ranked_by = torch.tensor(rollouts.rewards[RIGHT]) == 1, torch.tensor(rollouts.rewards[self.by])
        given = bonus(right, ranked_by, group=group, alpha=self.alpha)
        advantages = normalised(earned + given, group=group)
        rollouts.shaped = advantages.tolist()
        return advantages, {"ranking/groups": (given.view(-1, group) != 0).any(1).float().mean().item()}


def bonus(right: torch.Tensor, by: torch.Tensor, *, group: int, alpha: float) -> torch.Tensor:
    """What each completion (B,) earns more or less, 0 in sum over its group of `group` neighbours."""
    given = torch.zeros(len(by))
    for start in range(0, len(by), group):
        own = slice(start, start + group)
        ranked = (right[own] & ~by[own].isnan()).nonzero()[:, 0]
        if len(ranked) > 1:
            ranks = torch.tensor(rankdata(-by[own][ranked].numpy()) - 1, dtype=given.dtype)
            given[start + ranked] = alpha * (0.5 - ranks / (len(ranked) - 1))
    return given


def ranking_of(watch: WatchArguments, training: GRPOConfig, rewards: list[Reward]) -> Ranking | None:
    """The ranking that the settings name, among all `rewards` of the run; None for none."""
    if watch.rank_right_by is None:
        return None
    weights = training.reward_weights or [1.0] * len(rewards)
    names = [reward.name for reward in rewards]
    return Ranking(watch.rank_right_by, watch.rank_alpha, dict(zip(names, weights, strict=True)))


def ranked_by(watch: WatchArguments, training: GRPOConfig, *, named: list[Reward]) -> list[Reward]:
    """The reward that ranks, where it is not `named` as one of the task's; it is given the weight 0 in `training`.

    `UserError` for an unknown one, and without `accuracy`, which says what is right.
    """
    if watch.rank_right_by is None:
        return []
    names = [reward.name for reward in named]
    if RIGHT not in names:
        raise UserError(f"rank_right_by ranks what {RIGHT} calls right; add it to rewards")
    if watch.rank_right_by == RIGHT:
        raise UserError(f"rank_right_by: {RIGHT} is the same for all that is right; name another reward")
    added = [reward for reward in registry.by_names([watch.rank_right_by]) if reward.name not in names]
    weights = training.reward_weights or [1.0] * len(named)
    training.reward_weights = [*weights, *[0.0] * len(added)]
    return added
