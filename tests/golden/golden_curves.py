"""Twenty optimiser steps of SFT and of GRPO for both embedded families: losses, rates, rewards, first completions."""

from pathlib import Path
from typing import Any

from golden_commands import read_lines, run_module

DATA = "data"
FAMILIES = ("qwen2_5_vl", "smolvlm")
STEPS = 20

_BOTH = (
    f"--data {DATA} --max_steps {STEPS} --learning_rate 3e-4 --lr_scheduler_type cosine --warmup_steps 4 --seed 42 "
    "--dtype float32 --gradient_checkpointing false --lora_dropout 0.0 --logging_steps 1 --report_to none"
)
_METHODS = {
    "sft": f"{_BOTH} --prompt answer --target bare --per_device_train_batch_size 4",
    # Weights by token and a KL term: the loss moves although every batch's advantages sum to zero.
    "grpo": (
        f"{_BOTH} --prompt reason --answers strict --rewards accuracy format --reward_weights 1.0 0.5 "
        "--num_generations 4 --per_device_train_batch_size 8 --max_completion_length 32 --temperature 1.0 "
        "--beta 0.04 --loss_type dapo"
    ),
}
_KEPT = ("loss", "learning_rate", "grad_norm", "reward", "reward_std", "kl", "completions/mean_length")


def curves() -> dict[str, Any]:
    """Per run and step the kept metrics, with each reward's mean and the text of the step's first completion."""
    return {f"{family} {method}": _curve(family, method) for family in FAMILIES for method in _METHODS}


def _curve(family: str, method: str) -> dict[str, Any]:
    run = Path(family) / method
    run_module(
        f"vlm_grpo.training.{method}", "--model", f"embedded:{family}", "--output_dir", str(run), *_words(method)
    )
    curve = {str(metrics["step"]): _kept(metrics) for metrics in read_lines(run / "metrics.jsonl")}
    if method == "grpo":
        for rollout in reversed(read_lines(run / "completions.jsonl")):
            curve[str(rollout["step"])]["first completion"] = rollout["text"]
    assert len(curve) == STEPS
    return curve


def _words(method: str) -> list[str]:
    return _METHODS[method].split()


def _kept(metrics: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in metrics.items() if k in _KEPT or (k.startswith("rewards/") and k.endswith("/mean"))}
