"""The settings of a training run: ours, and TRL's with the defaults that a VLM study needs."""

import os
from dataclasses import dataclass, field
from typing import Literal

import torch
from trl import GRPOConfig, SFTConfig

from vlm_grpo import prompts
from vlm_grpo.adapters.attention import check_attention_name
from vlm_grpo.adapters.image_options import ImageOptions
from vlm_grpo.adapters.precision import pick_dtype
from vlm_grpo.decoding.cache_choice import SETTINGS as CACHE_SETTINGS
from vlm_grpo.errors import UserError
from vlm_grpo.methods.values import AS_BOOLEAN, GRPO_NAMES, SFT_NAMES, check_values
from vlm_grpo.ranges import AT_LEAST_1, POSITIVE, SEED, SHARE, SHARE_BELOW_1, check_name, check_numbers
from vlm_grpo.tasks.answers.rules import Rule

Budget = Literal["samples", "steps"]
RANGES = {
    "num_rows": AT_LEAST_1,
    "row_seed": SEED,
    "lora_r": AT_LEAST_1,
    "lora_alpha": POSITIVE,
    "lora_dropout": SHARE_BELOW_1,
}
FULL = ("language", "all")
LORA = {"lora_r": 16, "lora_alpha": 32, "lora_dropout": 0.05}
REFUSALS = (ValueError, TypeError, KeyError, AttributeError, ImportError, NotImplementedError, OSError)
"""What TRL and transformers raise on settings that contradict each other, name absent files, or have a wrong form."""


@dataclass
class StudyArguments(ImageOptions):
    """What is trained, on which rows, asked how."""

    model: str = field(
        metadata={"help": "Base model: checkpoint folder, embedded:<family>, or hub id org/name[@revision]."}
    )
    data: str = field(metadata={"help": "Data set folder (DatasetDict with a manifest); ${VARIABLES} are filled in."})
    split: str = field(default="train", metadata={"help": "Split to train on."})
    num_rows: int | None = field(
        default=None, metadata={"help": "Rows to draw from the split without replacement; all of them if unset."}
    )
    row_seed: int = field(default=42, metadata={"help": "Seed of that draw; it does not depend on the training seed."})
    prompt: str = field(default="reason", metadata={"help": "Prompt template: reason, no_think, answer or yes_no."})
    attention: str = field(
        default="sdpa", metadata={"help": "Attention implementation: sdpa, eager, flash_attention_2."}
    )
    full_finetuning: Literal["language", "all"] | None = field(
        default=None,
        metadata={"help": "Train weights themselves: language (all but the vision tower's), or all. Unset: LoRA."},
    )
    lora_r: int | None = field(default=None, metadata={"help": "LoRA rank; 16 if unset."})
    lora_alpha: int | None = field(default=None, metadata={"help": "LoRA scale numerator; 32 if unset."})
    lora_dropout: float | None = field(default=None, metadata={"help": "LoRA dropout; 0.05 if unset."})
    budget: Budget | None = field(
        default=None,
        metadata={"help": "What an SFT run shares with the GRPO run beside it: samples or steps. GRPO only notes it."},
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, RANGES)
        if self.full_finetuning is not None:
            check_name("full_finetuning", self.full_finetuning, FULL)
        self._settle_lora()
        check_name("prompt", self.prompt, prompts.TEMPLATES)
        check_attention_name(self.attention)

    def _settle_lora(self) -> None:
        """LoRA's defaults where it trains; `UserError` for a setting of LoRA's where it does not."""
        for name, default in LORA.items():
            if self.full_finetuning is None:
                setattr(self, name, default if getattr(self, name) is None else getattr(self, name))
            elif getattr(self, name) is not None:
                raise UserError(
                    f"setting {name!r} has no effect with full_finetuning: {self.full_finetuning}, which trains "
                    "without LoRA; remove it (or say null, where the config extends one that sets it)"
                )


@dataclass
class RewardArguments:
    """What a completion earns, in which order rows come and with which captions, and how rollouts are generated."""

    rewards: list[str] = field(
        default_factory=lambda: ["accuracy", "format"], metadata={"help": "Rewards by name; weigh with reward_weights."}
    )
    judge_model: str | None = field(
        default=None, metadata={"help": "With the reward llm: the model that tells whether an answer is the reference."}
    )
    judge_base_url: str | None = field(
        default=None,
        metadata={"help": "Its OpenAI-compatible server; key: JUDGE_API_KEY. Unset: OpenAI; key: OPENAI_API_KEY."},
    )
    judge_max_cost: float | None = field(
        default=None, metadata={"help": "US dollars for that judge, in each process; the run stops before it is more."}
    )
    answers: Rule = field(default="strict", metadata={"help": "How an answer is read: strict or relaxed."})
    environment: str | None = field(
        default=None,
        metadata={"help": "What answers the model within a completion: double_check or zoom. Unset: one turn each."},
    )
    curriculum: str | None = field(
        default=None,
        metadata={"help": "Column of the rows; low values come first in every epoch. Unset: rows in a seeded order."},
    )
    right_captions: float = field(
        default=0.0,
        metadata={"help": "Share of the rows that are asked behind a caption which suggests the right answer."},
    )
    wrong_captions: float = field(
        default=0.0,
        metadata={"help": "Share of the rows that are asked behind a caption which suggests a wrong answer."},
    )
    right_thoughts: float = field(
        default=0.0,
        metadata={"help": "Share of the rows whose completions begin with a thought that ends on the right answer."},
    )
    wrong_thoughts: float = field(
        default=0.0,
        metadata={"help": "Share of the rows whose completions begin with a thought that ends on a wrong answer."},
    )
    rollout_cache: str = field(
        default="default",
        metadata={
            "help": "KV cache in rollouts: default (as the family needs), auto (parity check first), true, false."
        },
    )

    def __post_init__(self) -> None:
        names = ("right_captions", "wrong_captions", "right_thoughts", "wrong_thoughts")
        check_numbers(self, dict.fromkeys(names, SHARE))
        if sum(getattr(self, name) for name in names) > 1:
            raise UserError(f"{', '.join(names)} are shares of the same rows; lower them to 1 in sum")
        self.rollout_cache = self.rollout_cache.lower()
        check_name("rollout_cache", self.rollout_cache, CACHE_SETTINGS)


@dataclass
class SFTTargetArguments:
    """What SFT teaches the model to say."""

    target: str = field(
        default="bare",
        metadata={
            "help": "Assistant's text, a wording of the task (bare, tagged, yes_no) or the row's own completion."
        },
    )
    budget_config: str | None = field(
        default=None, metadata={"help": "Config of that GRPO run: its config.yaml, or the file it is started with."}
    )


@dataclass
class HardwarePrecision:
    """Chooses TRL's `bf16`, `fp16` and `use_cpu` from one setting and the hardware."""

    dtype: str = field(
        default="auto", metadata={"help": "auto (bfloat16, float16 on a V100, float32 on a CPU) or one of the three."}
    )

    def __post_init__(self) -> None:
        dtype = pick_dtype(self.dtype)
        self.bf16 = dtype is torch.bfloat16
        self.fp16 = dtype is torch.float16
        self.use_cpu = not torch.cuda.is_available()
        if self.use_cpu:
            os.environ.setdefault("DS_ACCELERATOR", "cpu")  # accelerate loads deepspeed, which warns unless it is told
        self.disable_tqdm = True
        self.logging_nan_inf_filter = False
        try:
            super().__post_init__()  # type: ignore[misc]
        except REFUSALS as error:
            raise UserError(f"{' '.join(str(error).split()).rstrip('.') or type(error).__name__}; see --help") from None

    @property
    def device(self) -> torch.device:
        """As in transformers, but plain `cpu` for each of several CPU processes: `torch.load` knows no `cpu:0`."""
        device: torch.device = super().device  # type: ignore[misc]
        return torch.device("cpu") if device.type == "cpu" else device


@dataclass
class GRPOArguments(HardwarePrecision, GRPOConfig):
    """TRL's GRPO settings; each one that the study fixed is written out in `configs/`."""

    ref_model_sync_steps: int = field(
        default=64, metadata={"help": "With sync_ref_model: optimiser steps between two syncs of the reference."}
    )
    ref_model_mixup_alpha: float = field(
        default=0.9, metadata={"help": "With sync_ref_model: the policy's share in the reference that a sync makes."}
    )

    def __post_init__(self) -> None:
        scale: str = self.scale_rewards  # type: ignore[has-type]
        self.scale_rewards = AS_BOOLEAN.get(scale.lower(), scale)
        check_values(self, GRPO_NAMES)
        super().__post_init__()


@dataclass
class SFTArguments(HardwarePrecision, SFTConfig):
    """TRL's SFT settings, without truncation: cutting a sequence would cut image tokens."""

    max_length: int | None = field(
        default=None, metadata={"help": "Must stay unset: truncation would cut image tokens."}
    )

    def __post_init__(self) -> None:
        check_values(self, SFT_NAMES)
        super().__post_init__()
