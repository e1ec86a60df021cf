"""The methods by name. A study reads this, so it imports no trainer."""

from vlm_grpo.methods.base import Method

METHODS = {
    method.name: method
    for method in (
        Method(
            name="sft",
            module="vlm_grpo.training.sft",
            state_files=("sft_state.json",),
            watched={"loss": "loss", "mean_token_accuracy": "token accuracy"},
        ),
        Method(
            name="grpo",
            module="vlm_grpo.training.grpo",
            rewarded=True,
            state_files=("grpo_state*", "grpo_reference*"),
            watched={
                "loss": "loss",
                "reward": "reward",
                "rewards/*/mean": "*",
                "kl": "kl",
                "completions/clipped_ratio": "clipped",
            },
        ),
        Method(
            name="soft_prompt",
            module="vlm_grpo.training.soft_prompt",
            merges=False,
            state_files=("sft_state.json",),
            watched={
                "loss": "loss",
                "mean_token_accuracy": "token accuracy",
                "distance_from_teacher": "from the teacher",
            },
        ),
    )
}
