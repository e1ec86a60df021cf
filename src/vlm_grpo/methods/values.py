"""The values that TRL's settings may take: what TRL and transformers would refuse at some later step, or never.

Checked when the settings are made, before they derive batches and devices from them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from vlm_grpo.ranges import (
    AT_LEAST_0,
    AT_LEAST_1,
    POSITIVE,
    SEED,
    SHARE,
    SHARE_ABOVE_0,
    SHARE_BELOW_1,
    Range,
    check_name,
    check_numbers,
    wrong,
)

PORT = Range(1, 65535)
RANGES: Mapping[str, Range] = {
    # of both methods
    "per_device_train_batch_size": AT_LEAST_1,
    "gradient_accumulation_steps": AT_LEAST_1,
    "num_train_epochs": POSITIVE,
    "learning_rate": AT_LEAST_0,
    "weight_decay": AT_LEAST_0,
    "adam_beta1": SHARE_BELOW_1,
    "adam_beta2": SHARE_BELOW_1,
    "adam_epsilon": POSITIVE,
    "max_grad_norm": AT_LEAST_0,
    "warmup_steps": AT_LEAST_0,
    "label_smoothing_factor": SHARE_BELOW_1,
    "neftune_noise_alpha": AT_LEAST_0,
    "seed": SEED,
    "data_seed": SEED,
    "save_steps": POSITIVE,
    "save_total_limit": AT_LEAST_1,
    "logging_steps": POSITIVE,
    "dataloader_num_workers": AT_LEAST_0,
    "dataloader_prefetch_factor": AT_LEAST_1,
    "ddp_timeout": AT_LEAST_1,
    "ddp_bucket_cap_mb": AT_LEAST_1,
    # of GRPO
    "num_generations": Range(2),
    "generation_batch_size": AT_LEAST_1,
    "steps_per_generation": AT_LEAST_1,
    "num_iterations": AT_LEAST_1,
    "max_completion_length": AT_LEAST_1,
    "temperature": POSITIVE,
    "top_p": SHARE_ABOVE_0,
    "top_k": AT_LEAST_0,
    "min_p": SHARE,
    "repetition_penalty": POSITIVE,
    "beta": AT_LEAST_0,
    "epsilon": AT_LEAST_0,
    "epsilon_high": AT_LEAST_0,
    "delta": POSITIVE,
    "off_policy_mask_threshold": AT_LEAST_0,
    "top_entropy_quantile": SHARE_ABOVE_0,
    "sapo_temperature_neg": POSITIVE,
    "sapo_temperature_pos": POSITIVE,
    "vespo_k_neg": POSITIVE,
    "vespo_k_pos": POSITIVE,
    "vespo_lambda_neg": POSITIVE,
    "vespo_lambda_pos": POSITIVE,
    "ref_model_mixup_alpha": SHARE,
    "ref_model_sync_steps": AT_LEAST_1,
    "num_completions_to_print": AT_LEAST_1,
    "vllm_gpu_memory_utilization": SHARE_ABOVE_0,
    "vllm_tensor_parallel_size": AT_LEAST_1,
    "vllm_max_model_length": AT_LEAST_1,
    "vllm_server_port": PORT,
    "vllm_group_port": PORT,
    "vllm_server_timeout": POSITIVE,
    "vllm_importance_sampling_clip_min": AT_LEAST_0,
    "vllm_importance_sampling_clip_max": POSITIVE,
}
GRPO_NAMES: Mapping[str, Sequence[str]] = {
    "loss_type": ("grpo", "bnpo", "dr_grpo", "dapo", "cispo", "sapo", "vespo", "luspo"),
    "scale_rewards": ("group", "batch", "none"),
    "importance_sampling_level": ("token", "sequence"),
    "multi_objective_aggregation": ("sum_then_normalize", "normalize_then_sum"),
    "vllm_mode": ("colocate", "server"),
    "vllm_model_impl": ("vllm", "transformers"),
    "vllm_importance_sampling_mode": ("token_mask", "token_truncate", "sequence_mask", "sequence_truncate"),
}
SFT_NAMES: Mapping[str, Sequence[str]] = {"loss_type": ("nll", "dft")}
NEVER_NULL = frozenset(("output_dir", "max_completion_length", "num_generations", "report_to"))
"""Settings that TRL lets be null, and that a run here needs."""
AS_BOOLEAN = {"true": "group", "false": "none"}
"""What TRL makes of a boolean `scale_rewards`, which a config file's `false` and the command line's are texts of."""


def check_values(training: Any, names: Mapping[str, Sequence[str]]) -> None:
    """`UserError` for the first of TRL's settings that has an impossible value."""
    if training.max_steps == 0 or training.max_steps < -1:
        raise wrong("max_steps", f"{training.max_steps} trains nothing; give a positive number, or -1 to go by epochs")
    check_numbers(training, RANGES)
    for name, known in names.items():
        check_name(name, getattr(training, name), known)
