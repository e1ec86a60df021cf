"""Which of TRL's settings do nothing here, and which combinations cannot work: told before anything is loaded."""

import sys

from transformers.trainer_utils import SaveStrategy

from vlm_grpo import prompts
from vlm_grpo.environments.registry import by_name
from vlm_grpo.errors import UserError
from vlm_grpo.methods.arguments import GRPOArguments, RewardArguments, SFTArguments, StudyArguments
from vlm_grpo.methods.fast.arguments import FastArguments
from vlm_grpo.methods.grpo.arguments import WatchArguments

GRPO_TYPES = (StudyArguments, RewardArguments, WatchArguments, FastArguments, GRPOArguments)
"""Where a GRPO config's keys belong."""

_OWN_PRECISION = "dtype decides the precision from the hardware"
_OWN_MODEL = "model and dtype say what is loaded, and how"
_NO_EVALUATION = "training does not evaluate; use python -m vlm_grpo.evaluation on the result"
_NO_HUB = "a run stays on this machine; upload final/ or the merged checkpoint yourself"
_OWN_ORDER = "rows come in the permutation of seed and epoch"

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
    "train_sampling_strategy": _OWN_ORDER,
    "data_seed": _OWN_ORDER,
    "push_to_hub": _NO_HUB,
    "hub_model_id": _NO_HUB,
    "hub_strategy": _NO_HUB,
    "hub_token": _NO_HUB,
    "hub_private_repo": _NO_HUB,
    "hub_always_push": _NO_HUB,
    "hub_revision": _NO_HUB,
    "router_aux_loss_coef": "no family here is a mixture of experts",
    "auto_find_batch_size": "it would change what a step is in the midst of a run; lower per_device_train_batch_size",
    "use_liger_kernel": "it is deprecated in TRL for this trainer",
}

GRPO_NO_EFFECT = COMMON_NO_EFFECT | {
    "num_generations_eval": _NO_EVALUATION,
    "use_cache": "rollout_cache says whether rollouts use the KV cache",
    "use_transformers_continuous_batching": "it does not support pictures",
    "use_transformers_paged": "it does not support pictures",
    "transformers_continuous_batching_config": "it does not support pictures",
    "log_completions_hub_repo": "completions are written to completions.jsonl in the output folder",
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
    "eos_token": "the checkpoint's own tokens and chat template are used",
    "pad_token": "the checkpoint's own tokens and chat template are used",
    "chat_template_path": "the checkpoint's own tokens and chat template are used",
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
        "sync_ref_model",
        "ref_model_sync_steps",
        "ref_model_mixup_alpha",
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

_VLLM_ONLY = "vllm_"
_CALLS = "max_tool_calling_iterations"
_REF_SYNC_ONLY = ("ref_model_mixup_alpha", "ref_model_sync_steps")


def check_grpo(
    training: GRPOArguments, rewards: RewardArguments, watch: WatchArguments, given: frozenset[str], *, prompt: str
) -> None:
    """`UserError` for GRPO settings that contradict each other or do nothing beside the others."""
    if rewards.answers.startswith("bare") and prompt in prompts.TAGGED:
        raise UserError(
            f"answers {rewards.answers!r} reads texts without tags and prompt {prompt!r} asks for tags; "
            "read them with strict or relaxed, or ask with prompt answer"
        )
    if training.reward_weights is not None and len(training.reward_weights) != len(rewards.rewards):
        raise UserError(
            f"reward_weights has {len(training.reward_weights)} numbers for {len(rewards.rewards)} rewards; "
            "give one each"
        )
    if training.reward_weights is not None and not any(training.reward_weights):
        raise UserError("reward_weights are all 0, so nothing is earned and nothing learnt; give one that is not")
    if rewards.curriculum and "shuffle_dataset" in given and training.shuffle_dataset:
        raise UserError("shuffle_dataset: true undoes the order of the curriculum; remove one of the two")
    if training.sync_ref_model and training.beta == 0:
        raise UserError("sync_ref_model has no effect with beta: 0, which asks for no reference; give a beta")
    if watch.kl_alarm == "stop" and training.beta == 0:
        raise UserError("kl_alarm: stop has no effect with beta: 0, which measures no KL; give a beta")
    _check_constraints(training, watch, given)
    _check_ranking(training, watch, given)
    corrects = training.use_vllm and training.vllm_importance_sampling_correction
    if corrects and training.loss_type == "vespo" and training.vllm_importance_sampling_mode.startswith("sequence"):
        raise UserError("loss_type vespo needs a vllm_importance_sampling_mode by token: token_truncate or token_mask")
    for name in sorted(given):
        if name.startswith(_VLLM_ONLY) and not training.use_vllm:
            raise UserError(f"setting {name!r} has no effect without use_vllm: true")
        if name in _REF_SYNC_ONLY and not training.sync_ref_model:
            raise UserError(f"setting {name!r} has no effect without sync_ref_model: true")
    _check_judge(rewards)
    _check_environment(rewards.environment, training, given)
    if training.use_vllm and "rollout_cache" in given:
        raise UserError("setting 'rollout_cache' has no effect with use_vllm: true")


def _check_judge(rewards: RewardArguments) -> None:
    if "llm" in rewards.rewards:
        if rewards.judge_model is None:
            raise UserError("reward llm asks a judge: name it with judge_model, and its server with judge_base_url")
        return
    for name in ("judge_model", "judge_base_url", "judge_max_cost"):
        if getattr(rewards, name) is not None:
            raise UserError(f"setting {name!r} has no effect without the reward llm; add it to rewards")


def _check_constraints(training: GRPOArguments, watch: WatchArguments, given: frozenset[str]) -> None:
    for name in ("constraint_rate", "constraint_max", "constraint_start"):
        if name in given and not watch.constraints:
            raise UserError(f"setting {name!r} has no effect without constraints")
    if not watch.constraints:
        return
    if watch.advantages != "plain":
        raise UserError("constraints make advantages of their own; say advantages: plain")
    if training.scale_rewards != "group" or training.multi_objective_aggregation != "sum_then_normalize":
        raise UserError(
            "constraints add to advantages that are normalised by group: leave scale_rewards at group and "
            "multi_objective_aggregation at sum_then_normalize"
        )
    if watch.constraint_start > watch.constraint_max:
        raise UserError(f"constraint_start {watch.constraint_start} is above constraint_max {watch.constraint_max}")


def _check_ranking(training: GRPOArguments, watch: WatchArguments, given: frozenset[str]) -> None:
    if "rank_alpha" in given and watch.rank_right_by is None:
        raise UserError("setting 'rank_alpha' has no effect without rank_right_by")
    if watch.rank_right_by is None:
        return
    if watch.advantages != "plain" or watch.constraints:
        raise UserError("rank_right_by makes advantages of its own; say advantages: plain, and no constraints")
    if training.scale_rewards != "group" or training.multi_objective_aggregation != "sum_then_normalize":
        raise UserError(
            "rank_right_by adds to rewards that are summed and normalised by group: leave scale_rewards at group and "
            "multi_objective_aggregation at sum_then_normalize"
        )


def _check_environment(name: str | None, training: GRPOArguments, given: frozenset[str]) -> None:
    environment = None if name is None else by_name(name)
    if _CALLS in given and (environment is None or not environment.has_tools):
        raise UserError(f"setting {_CALLS!r} has no effect: there are no tools; remove it")
    if environment is not None and training.use_vllm:
        raise UserError(
            f"environment {name} answers the model within its completion, where vLLM is not held to what is scored; "
            "say use_vllm: false"
        )


def check_resumable(training: GRPOArguments | SFTArguments) -> None:
    """`UserError` for settings under which a run could not go on as if nothing had happened.

    What a run without checkpoints loses is told, not refused: it may be short.
    """
    if training.save_only_model:
        raise UserError(
            "save_only_model leaves optimiser and schedule out of checkpoints, so a run that is stopped could not go "
            "on; remove it (final/ holds weights alone)"
        )
    if training.save_strategy == SaveStrategy.BEST:
        raise UserError(
            "save_strategy best needs an evaluation, and training does not evaluate; say steps, epoch or no"
        )
    if training.ignore_data_skip:
        raise UserError(
            "ignore_data_skip shows a resumed run the rows that it has seen already, so it could not go on; remove it"
        )
    if not training.dataloader_in_order:
        raise UserError("dataloader_in_order: false leaves the order of rows to chance; remove it")
    if training.save_strategy == SaveStrategy.NO and training.should_save:
        print(
            "save_strategy no: a checkpoint is written when a signal stops the run, and no other; a run that is killed "
            "begins anew",
            file=sys.stderr,
            flush=True,
        )


def settle_sft(training: SFTArguments) -> None:
    """Settle what SFT here always does: pictures opened lazily from their column, no truncation, loss on the answer."""
    training.remove_unused_columns = False
    training.max_length = None
    training.completion_only_loss = True
