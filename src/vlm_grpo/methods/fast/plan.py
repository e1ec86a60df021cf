"""What of the fast path a run can use, and in one line each why the rest is left to TRL.

Four parts: `processing` (resize each picture once), `vision` (encode each picture once), `scoring` (read each prompt
once for log-probabilities) and `rollout` (prefill each prompt once, and let the engine decode).
"""

from dataclasses import dataclass
from typing import Any

from accelerate.utils import DistributedType
from transformers import GenerationConfig, PreTrainedModel
from transformers.generation.configuration_utils import GenerationMode

from vlm_grpo.decoding.serving import not_served, partial_attention, unknown_family
from vlm_grpo.errors import UserError
from vlm_grpo.methods.fast.vision_features import tower_trains

WORTH = 1.2
"""The shared prefix is used where it passes at least this many times fewer tokens; below, its overhead eats the gain
(see benchmarks/README.md)."""


@dataclass(frozen=True)
class FastPlan:
    """Why each part is not used; None: it is.

    `engine` is why rollouts that share a prefill are decoded by transformers' `generate`.
    """

    processing: str | None
    vision: str | None
    scoring: str | None
    rollout: str | None
    engine: str | None = None

    def lines(self, *, dropout: bool = False) -> list[str]:
        """What a user is told; `dropout` when some layer draws masks."""
        decoded = "the engine" if self.engine is None else f"transformers' generate: {self.engine}"
        named = (
            ("each picture resized once", "pictures resized by TRL", self.processing),
            ("each picture encoded once", "pictures encoded by TRL", self.vision),
            ("each prompt read once for log-probabilities", "log-probabilities by TRL", self.scoring),
            (f"each prompt prefilled once in rollouts, tokens decoded by {decoded}", "rollouts by TRL", self.rollout),
        )
        lines = [f"fast: {done}" if why is None else f"fast: {stock}: {why}" for done, stock, why in named]
        if dropout:
            lines.append("fast: dropout is off in rollouts, where TRL leaves it on without vLLM")
        if dropout and self.scoring is None:
            lines.append("fast: dropout draws a prompt's mask once for its group, where TRL draws one a completion")
        return lines


def make_plan(fast: str, *, model: PreTrainedModel, args: Any, accelerator: Any, special: str | None) -> FastPlan:
    """The plan for `model` (without PEFT's wrapper) and TRL's `args`.

    `special` names what makes completions more than one answer to one prompt (tools, environments), if anything does.
    `fast` is "auto", "on" or "off"; `UserError` when it is "on" and a part cannot be used.
    """
    if fast == "off":
        return FastPlan(*["fast is off"] * 4)
    family = unknown_family(model)
    sharded = sharding(accelerator)
    vision = family or sharded or ("the vision tower trains" if tower_trains(model.base_model) else None)
    shared = family or sharded or special
    plan = FastPlan(
        family or special, vision, shared or _no_scoring(model, args), shared or _no_rollout(args), not_served(model)
    )
    if fast == "on":
        for line, why in zip(plan.lines(), (plan.processing, plan.vision, plan.scoring, plan.rollout), strict=True):
            if why is not None:
                raise UserError(f"{line}; change that, or say fast: auto")
    return plan


def sharding(accelerator: Any) -> str | None:
    """What spreads single parameters over processes, as the beginning of a sentence; None where nothing does."""
    plugin = accelerator.state.deepspeed_plugin
    if plugin is not None and plugin.zero_stage == 3:
        return "ZeRO-3 shards the parameters"
    if accelerator.distributed_type == DistributedType.FSDP:
        return "FSDP shards the parameters"
    return None


def _no_scoring(model: PreTrainedModel, args: Any) -> str | None:
    if args.gradient_checkpointing:
        return "gradient_checkpointing drops the KV cache (set it to false; chunks keep memory in bounds)"
    return partial_attention(model)


def _no_rollout(args: Any) -> str | None:
    generation = args.generation_kwargs or {}
    if args.use_vllm:
        return "vLLM caches prefixes itself"
    if args.use_transformers_continuous_batching:
        return "continuous batching is on"
    if generation.get("use_cache") is False:
        return "the KV cache is off (rollout_cache: auto or true turns it on)"
    if args.cache_implementation is not None:
        return f"cache_implementation {args.cache_implementation} is not repeated"
    for name in ("num_beams", "num_return_sequences"):
        if generation.get(name, 1) != 1:
            return f"{name} is not 1"
    mode = GenerationConfig(**generation | {"do_sample": True}).get_generation_mode()
    if mode not in (GenerationMode.SAMPLE, GenerationMode.GREEDY_SEARCH):
        return f"they are decoded by {mode.value.replace('_', ' ')}"
    if generation.get("prefill_chunk_size") is not None:
        return "prefill_chunk_size is set"
    return None
