"""Which of TRL's settings do nothing here, and which combinations cannot work: told before anything is loaded."""

import importlib.util

from vlm_grpo.errors import UserError
from vlm_grpo.methods.arguments import GRPOArguments, RewardArguments, SFTArguments, StudyArguments
from vlm_grpo.methods.fast.arguments import FastArguments

GRPO_TYPES = (StudyArguments, RewardArguments, FastArguments, GRPOArguments)
"""Where a GRPO config's keys belong."""

_OWN_PRECISION = "dtype decides the precision from the hardware"
_OWN_MODEL = "model and dtype say what is loaded, and how"
_NO_EVALUATION = "training does not evaluate; use python -m vlm_grpo.evaluation on the result"

COMMON_NO_EFFECT = {
    "bf16": _OWN_PRECISION,
    "fp16": _OWN_PRECISION,
    "use_cpu": _OWN_PRECISION,
    "model_init_kwargs": _OWN_MODEL,
    "trust_remote_code": "code from a checkpoint is never run",
    "remove_unused_columns": "the columns are chosen by the package",
    "disable_tqdm": "progress is one line, of the package's own",
    "logging_nan_inf_filter": "a run stops at the first loss that is not finite",
    "do_train": "training is what this command does",
    "do_eval": _NO_EVALUATION,
    "do_predict": _NO_EVALUATION,
    "eval_strategy": _NO_EVALUATION,
    "eval_steps": _NO_EVALUATION,
    "eval_on_start": _NO_EVALUATION,
    "per_device_eval_batch_size": _NO_EVALUATION,
    "load_best_model_at_end": _NO_EVALUATION,
    "metric_for_best_model": _NO_EVALUATION,
    "resume_from_checkpoint": "a run resumes by itself from its newest complete checkpoint",
    "dataset_num_proc": "pictures are opened when a batch is made",
    "train_sampling_strategy": "rows come in the permutation of seed and epoch",
    "use_liger_kernel": "it is deprecated in TRL for this trainer",
}

GRPO_NO_EFFECT = COMMON_NO_EFFECT | {
    "num_generations_eval": _NO_EVALUATION,
    "use_cache": "rollout_cache says whether rollouts use the KV cache",
    "use_transformers_continuous_batching": "it does not support pictures",
    "log_completions_hub_repo": "completions are written to completions.jsonl in the output folder",
    "max_tool_calling_iterations": "there are no tools",
}

SFT_NO_EFFECT = COMMON_NO_EFFECT | {
    "completion_only_loss": "SFT always learns the answer only",
    "assistant_only_loss": "SFT always learns the answer only",
    "dataset_text_field": "rows are conversations",
    "dataset_kwargs": "rows are prepared by the package",
    "packing": "pictures cannot be packed",
    "eval_packing": "pictures cannot be packed",
    "packing_strategy": "pictures cannot be packed",
    "padding_free": "pictures cannot be trained padding-free",
    "max_length": "nothing is truncated; too long rows are refused",
    "truncation_mode": "nothing is truncated; too long rows are refused",
}

COMMON = frozenset(
    (
        "output_dir",
        "dtype",
        "seed",
        "per_device_train_batch_size",
        "gradient_accumulation_steps",
        "gradient_checkpointing",
        "num_train_epochs",
        "max_steps",
        "learning_rate",
        "lr_scheduler_type",
        "warmup_steps",
        "weight_decay",
        "max_grad_norm",
        "save_steps",
        "save_total_limit",
        "logging_steps",
        "report_to",
        "run_name",
    )
)
"""TRL's settings that `--help` shows for both methods."""

GRPO_COMMON = COMMON | frozenset(
    (
        "num_generations",
        "max_completion_length",
        "temperature",
        "top_p",
        "beta",
        "epsilon",
        "num_iterations",
        "loss_type",
        "scale_rewards",
        "reward_weights",
        "steps_per_generation",
        "mask_truncated_completions",
        "use_vllm",
        "log_completions",
    )
)
"""TRL's settings that `--help` shows for GRPO."""

TRACKERS = ("wandb", "trackio", "tensorboard", "mlflow")
_VLLM_ONLY = "vllm_"
_REF_SYNC_ONLY = ("ref_model_mixup_alpha", "ref_model_sync_steps")


def check_grpo(training: GRPOArguments, rewards: RewardArguments, given: frozenset[str]) -> None:
    """`UserError` for GRPO settings that contradict each other or do nothing beside the others."""
    if rewards.answers.startswith("bare"):
        raise UserError(f"answers {rewards.answers!r} reads texts without tags; GRPO asks for tags: strict or relaxed")
    if training.reward_weights is not None and len(training.reward_weights) != len(rewards.rewards):
        raise UserError(
            f"reward_weights has {len(training.reward_weights)} numbers for {len(rewards.rewards)} rewards; "
            "give one each"
        )
    for name in sorted(given):
        if name.startswith(_VLLM_ONLY) and not training.use_vllm:
            raise UserError(f"setting {name!r} has no effect without use_vllm: true")
        if name in _REF_SYNC_ONLY and not training.sync_ref_model:
            raise UserError(f"setting {name!r} has no effect without sync_ref_model: true")
    if training.use_vllm and "rollout_cache" in given:
        raise UserError("setting 'rollout_cache' has no effect with use_vllm: true")


def check_trackers(training: GRPOArguments | SFTArguments) -> None:
    """`UserError` when `report_to` names a tracker that is not installed."""
    for tracker in training.report_to:
        if tracker in TRACKERS and importlib.util.find_spec(tracker) is None:
            raise UserError(f"report_to: {tracker} is not installed; pip install {tracker}, or say report_to: none")


def settle_sft(training: SFTArguments) -> None:
    """Settle what SFT here always does: pictures opened lazily from their column, no truncation, loss on the answer."""
    training.remove_unused_columns = False
    training.max_length = None
    training.completion_only_loss = True
