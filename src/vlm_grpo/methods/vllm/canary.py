"""Prove, before a run with vLLM begins, that vLLM answers with the weights that are being trained.

A stale server is silent: rollouts come from the base for ever and rewards stay flat. So the policy is changed on
purpose (random values for LoRA's second factors, or added to attention's output layers where the weights themselves
train), one prompt is answered after the usual synchronisation, and the log-probabilities that vLLM reports for its own
tokens must lie near those of the changed policy and away from those of the unchanged one. Then the policy is put back;
the next rollout synchronises again.

The rollout that it takes is held to the scored prompt ids as all others are (`vllm_prompts`), so a family whose prompts
vLLM reads otherwise is refused here, before the first step.
"""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from trl import GRPOTrainer

from vlm_grpo.errors import UserError

CHANGE = 0.05
OF_WEIGHTS = 0.5
"""The change of a layer without LoRA, times the spread of its weights."""
SEED = 0
TOKENS = 32
"""Length of the canary's completions; a run's own can be hundreds."""
CLEARLY = 2.0
"""vLLM's numbers must be this many times nearer to the changed policy's than to the unchanged one's."""
INPUTS = ("pixel_values", "image_grid_thw", "num_images", "num_tiles", "pixel_attention_mask", "mm_token_type_ids")


def check_vllm() -> None:
    """`UserError` when vLLM is not installed."""
    if importlib.util.find_spec("vllm") is None:
        raise UserError("use_vllm: vllm is not installed; install the trl[vllm] extra, or say use_vllm: false")


def prove_synchronised(trainer: GRPOTrainer, row: dict[str, Any]) -> None:
    """Say how near vLLM's log-probabilities follow a change of `trainer`'s weights on `row`.

    `UserError` where they do not, or where vLLM reads another prompt than the trainer scores.
    """
    rows = [row] * trainer.num_generations
    trainer.model.train()  # TRL takes any other mode for evaluation
    with torch.random.fork_rng(), torch.no_grad(), _short_and_whole(trainer):
        with _changed(trainer.model):
            trainer._last_loaded_step = -1
            batch = GRPOTrainer._generate_and_score_completions(trainer, rows)
            changed = _logps(trainer, batch)
        unchanged = _logps(trainer, batch)
    trainer._last_loaded_step = -1
    trainer._metrics["train"].clear()
    mask = batch["completion_mask"].bool()
    near, far = compare(batch["sampling_per_token_logps"][mask], changed=changed[mask], unchanged=unchanged[mask])
    if trainer.accelerator.is_main_process:
        ids = int(batch["prompt_mask"][0].sum())
        print(
            f"vllm: reads the {ids} prompt ids that are scored; its log-probabilities are {near:.2g} away from the "
            f"changed policy's and {far:.2g} from the unchanged one's",
            file=sys.stderr,
            flush=True,
        )


def compare(served: torch.Tensor, *, changed: torch.Tensor, unchanged: torch.Tensor) -> tuple[float, float]:
    """Mean distances of `served` log-probabilities from both policies'; all (tokens,), of the same tokens.

    `UserError` unless they are clearly nearer to `changed`.
    """
    near, far = ((served - own).abs().mean().item() for own in (changed, unchanged))
    if not far > CLEARLY * near:
        raise UserError(
            f"vLLM does not answer with the trained weights: after a change its log-probabilities are {near:.3g} away "
            f"from the changed policy's and {far:.3g} from the unchanged one's; check the versions of trl and vllm and "
            "that the server serves this run's base"
        )
    return near, far


@contextmanager
def _short_and_whole(trainer: GRPOTrainer) -> Iterator[None]:
    """Few tokens, all of them counted: a short completion is a truncated one, which a run may mask."""
    generation = trainer.vllm_generation.generation
    length, masked = generation.max_completion_length, trainer.mask_truncated_completions
    generation.max_completion_length, trainer.mask_truncated_completions = min(length, TOKENS), False
    yield
    generation.max_completion_length, trainer.mask_truncated_completions = length, masked


@contextmanager
def _changed(model: nn.Module) -> Iterator[None]:
    generator = torch.Generator().manual_seed(SEED)
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    weights = {name: p for name, p in trained.items() if "lora_B" in name}
    changes = dict.fromkeys(weights, CHANGE)
    if not weights:
        weights = {name: p for name, p in trained.items() if name.endswith("o_proj.weight")}
        changes = {name: OF_WEIGHTS * p.std().item() for name, p in weights.items()}
    before = {name: p.detach().clone() for name, p in weights.items()}
    for name, p in weights.items():
        p.data += torch.randn(p.shape, generator=generator).to(p) * changes[name]
    yield
    for name, p in weights.items():
        p.data.copy_(before[name])


def _logps(trainer: GRPOTrainer, batch: dict[str, Any]) -> torch.Tensor:
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
    mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
    logps: torch.Tensor = trainer._get_per_token_logps_and_entropies(
        trainer.model, ids, mask, batch["completion_ids"].shape[1], **{name: batch.get(name) for name in INPUTS}
    )[0]
    return logps
