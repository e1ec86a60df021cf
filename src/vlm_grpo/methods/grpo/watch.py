"""What is logged of rollouts beside TRL's own metrics (docs/watching.md).

`probes/NAME/mean` is the share of completions that a task's probe sees, `groups/without_variance` that of groups with
nothing to learn from. `completions/thought_words` is the mean number of words of the thoughts (0 for none), and
`completions/distinct_4grams` the share of distinct runs of four words in all of them (`tasks/diversity.py`): both fall
where reasoning turns into a template. Shaped advantages are logged before and after, mean and largest size:
`advantages/plain/mean`, `advantages/plain/max`, `advantages/cubic/mean`, `advantages/cubic/max`.
"""

from collections.abc import Sequence

import torch

from vlm_grpo.methods.grpo.advantages import cubic, share_without_variance
from vlm_grpo.methods.grpo.completions import Rollouts
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks import probes
from vlm_grpo.tasks.blocks import thought_of
from vlm_grpo.tasks.diversity import distinct_share


def figures(rollouts: Rollouts, rows: Sequence[str], *, group: int) -> dict[str, float]:
    """The figures of `rollouts`, whose `rows` are given as JSON, in groups of `group` neighbours."""
    shares = probes.shares(rollouts.texts, [Row.model_validate_json(row) for row in rows])
    advantages = torch.tensor(rollouts.advantages)
    thoughts = [thought_of(text) for text in rollouts.texts]
    distinct = distinct_share(thoughts)
    return {f"probes/{name}/mean": share for name, share in shares.items()} | {
        "groups/without_variance": share_without_variance(advantages, group=group),
        "completions/thought_words": sum(len(thought.split()) for thought in thoughts) / len(thoughts),
        **({} if distinct is None else {"completions/distinct_4grams": distinct}),
    }


def shape(rollouts: Rollouts, *, group: int) -> tuple[torch.Tensor, dict[str, float]]:
    """Put the cubic advantages into `rollouts`; they as (B,), and the figures of both kinds."""
    plain = torch.tensor(rollouts.advantages)
    shaped = cubic(plain, group=group)
    rollouts.shaped = shaped.tolist()
    return shaped, {
        f"advantages/{kind}/{figure}": value.item()
        for kind, values in (("plain", plain), ("cubic", shaped))
        for figure, value in (("mean", values.mean()), ("max", values.abs().max()))
    }
