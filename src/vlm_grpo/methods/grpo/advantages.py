"""Advantages by group: cubic shaping, and which groups teach nothing.

`cubic` is our own definition. Groundlight's post on r1_vlm names a cubic non-linearity that speeds up early learning a
little, gives no formula, and none of its repositories holds one. Here a' = c a^3, with c of each group such that the
mean of |a'| is that of |a|: what is rare in a group (one success in nine, one failure in nine) weighs more, at the
size of step that there was. The group's sum is no longer zero, so the reported loss is not either.
"""

import torch


def cubic(advantages: torch.Tensor, *, group: int) -> torch.Tensor:
    """`advantages` (B,), whole groups of `group` neighbours, cubed and rescaled to each group's mean absolute value.

    Signs and the order within a group stay; a group of zeros stays one.
    """
    groups = advantages.view(-1, group)
    size = groups.abs()
    relative = groups / size.amax(1, keepdim=True).clamp(min=torch.finfo(groups.dtype).tiny)
    cubed = relative**3
    mean = cubed.abs().mean(1, keepdim=True)
    scale = size.mean(1, keepdim=True) / mean.clamp(min=torch.finfo(groups.dtype).tiny)
    return (cubed * scale).view(-1)


def share_without_variance(advantages: torch.Tensor, *, group: int) -> float:
    """The share of groups whose completions all have one advantage: nothing in them is better than the rest.

    TRL's `frac_reward_zero_std` says the same of `scale_rewards: group` alone; over a batch it looks at the batch.
    """
    groups = advantages.view(-1, group)
    return torch.isclose(groups, groups[:, :1]).all(1).float().mean().item()
