"""Rewards that ask a judge, with the judge that the settings name."""

from collections.abc import Sequence
from pathlib import Path

from vlm_grpo.errors import UserError
from vlm_grpo.methods.arguments import RewardArguments
from vlm_grpo.rewards import llm
from vlm_grpo.rewards.base import Reward
from vlm_grpo.rows.records import Row
from vlm_grpo.tasks.registry import for_judge


def check_judge(rewards: Sequence[Reward], rows: Sequence[Row], *, where: str) -> None:
    """`UserError` where some of `rows` would have no reward but for their form."""
    unscored = [] if any(reward.name == llm.NAME for reward in rewards) else for_judge(rows)
    if unscored:
        raise UserError(
            f"{where} row {unscored[0].id} leaves it to a judge what is right; add the reward llm, and judge_model"
        )


def with_judge(rewards: Sequence[Reward], settings: RewardArguments, folder: Path) -> list[Reward]:
    """`rewards`, of which `llm` asks its judge and keeps the verdicts in `folder`; nothing is opened without it.

    `UserError` where the judge cannot be asked.
    """
    if not any(reward.name == llm.NAME for reward in rewards):
        return list(rewards)
    from vlm_grpo.rewards.grading import open_grader  # the client of a server takes a second to import

    assert settings.judge_model is not None, "check_grpo asks for it"
    grader = open_grader(
        folder, model=settings.judge_model, base_url=settings.judge_base_url, max_cost=settings.judge_max_cost
    )
    return [llm.with_judge(grader) if reward.name == llm.NAME else reward for reward in rewards]
