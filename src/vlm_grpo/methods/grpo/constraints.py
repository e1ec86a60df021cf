"""GRPO under constraints: rewards whose means must reach a level, enforced by multipliers that grow while they do not.

The task is to maximise the rewards as before, subject to mean(R_k) >= level_k for each constraint k. A completion's
advantage is A = Â_task + Σ λ_k Â_k, every Â normalised on its own within the group (less the mean, over the spread),
and the sum is then brought to mean 0 and spread 1 over the batch, so that a step stays as long as it was while
multipliers grow. With λ held fixed this is TRL's `multi_objective_aggregation: normalize_then_sum`. After each rollout
λ_k ← clip(λ_k + rate (level_k - mean R_k), 0, most), with the mean over all processes.

In the spirit of Faithful GRPO (arXiv 2604.08476), whose formula is not public here: this one is ours. What cannot be
scored is left out of means, and has no part in Â_k.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from trl import GRPOConfig
from trl.trainer.utils import nanstd

from vlm_grpo.errors import UserError
from vlm_grpo.methods.grpo.arguments import WatchArguments
from vlm_grpo.methods.grpo.completions import Rollouts
from vlm_grpo.rewards import registry
from vlm_grpo.rewards.base import Reward

SPREAD = 1e-4
"""Added to every spread, as TRL does."""


@dataclass
class Constraints:
    """The levels that rewards must reach, by name, and their multipliers, which are state."""

    levels: Mapping[str, float]
    rate: float
    most: float
    start: float = 0.0
    multipliers: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.multipliers = {name: self.multipliers.get(name, self.start) for name in self.levels}

    def apply(self, rollouts: Rollouts, *, group: int) -> tuple[torch.Tensor, dict[str, float]]:
        """Put what is learnt from into `rollouts`, move the multipliers; the advantages (B,), and what is logged.

        `rollouts` are those of all processes, in whole groups of `group`, their `advantages` TRL's of the task.
        """
        combined = torch.tensor(rollouts.advantages)
        figures = {}
        for name, level in self.levels.items():
            rewards = torch.tensor(rollouts.rewards[name])
            combined = combined + self.multipliers[name] * normalised(rewards, group=group)
            mean = torch.nanmean(rewards).item()
            figures[f"constraints/{name}/multiplier"] = self.multipliers[name]
            if mean == mean:
                figures[f"constraints/{name}/slack"] = mean - level
                self._move(name, level - mean)
        advantages = (combined - combined.mean()) / (combined.std() + SPREAD)
        rollouts.shaped = advantages.tolist()
        return advantages, figures

    def _move(self, name: str, lack: float) -> None:
        self.multipliers[name] = min(max(self.multipliers[name] + self.rate * lack, 0.0), self.most)


def normalised(rewards: torch.Tensor, *, group: int) -> torch.Tensor:
    """`rewards` (B,) less their group's mean over its spread, NaN as 0; groups of `group` neighbours."""
    groups = rewards.view(-1, group)
    relative = (groups - groups.nanmean(1, keepdim=True)) / (nanstd(groups, dim=1, keepdim=True) + SPREAD)
    return relative.nan_to_num(nan=0.0).view(-1)


def parse_levels(words: list[str]) -> dict[str, float]:
    """`name=level` each, as a mapping; `UserError` for another form, a level that is no number, or a repeated name.

    >>> parse_levels(["consistency=0.95"])
    {'consistency': 0.95}
    """
    levels: dict[str, float] = {}
    for word in words:
        name, _, written = word.partition("=")
        try:
            level = float(written)
        except ValueError:
            level = float("nan")
        if not name or level != level or abs(level) == float("inf"):
            raise UserError(f"constraints {word!r} is not of the form REWARD=LEVEL, such as consistency=0.95")
        if name in levels:
            raise UserError(f"constraints names {name} twice; give each reward one level")
        levels[name] = level
    return levels


def constraints_of(watch: WatchArguments) -> Constraints | None:
    """The constraints that the settings name; None for none."""
    levels = parse_levels(watch.constraints)
    if not levels:
        return None
    return Constraints(levels, rate=watch.constraint_rate, most=watch.constraint_max, start=watch.constraint_start)


def constrained(watch: WatchArguments, training: GRPOConfig, *, named: list[Reward]) -> list[Reward]:
    """The rewards that only constraints name, each given the weight 0 in `training`; `named` are the task's.

    `UserError` for an unknown reward, and for a level beyond its range.
    """
    levels = parse_levels(watch.constraints)
    if not levels:
        return []
    by_name = {reward.name: reward for reward in registry.by_names(list(levels))}
    for name, level in levels.items():
        if not by_name[name].minimum <= level <= by_name[name].maximum:
            raise UserError(
                f"constraints {name}={level}: the reward lies between {by_name[name].minimum} and "
                f"{by_name[name].maximum}; give a level in between"
            )
    own = {reward.name for reward in named}
    added = [reward for name, reward in by_name.items() if name not in own]
    weights = training.reward_weights or [1.0] * len(named)
    training.reward_weights = [*weights, *[0.0] * len(added)]
    return added
