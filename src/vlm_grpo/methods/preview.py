"""What a run is about to do, told before its first step: rows, pictures, tokens a prompt, and what a step is made of.

What the base earns follows with the first rollouts, which cost nothing then (`grpo.preflight`).
"""

from collections.abc import Sequence
from math import ceil
from statistics import median

from vlm_grpo.methods.arguments import GRPOArguments, SFTArguments
from vlm_grpo.rows.records import Row


def lines(rows: Sequence[Row], tokens: Sequence[int], training: GRPOArguments | SFTArguments) -> list[str]:
    """Lines for a user about `rows`, whose prompts have so many `tokens`."""
    pictures = {picture for row in rows for picture in row.images}
    return [
        f"preview: {len(rows)} rows, {len(pictures)} pictures, {min(tokens)} to {max(tokens)} tokens a prompt "
        f"(median {median(tokens):g})",
        f"preview: {a_step(len(rows), training)}",
    ]


def steps_an_epoch(rows: int, training: GRPOArguments | SFTArguments) -> int:
    """Optimiser steps that `rows` make, an incomplete last batch left out in GRPO and counted in SFT."""
    if isinstance(training, GRPOArguments):
        batches = rows // (training.generation_batch_size // training.num_generations)
        micro = batches * training.steps_per_generation * training.num_iterations
    else:
        batch = training.per_device_train_batch_size * training.world_size
        micro = rows // batch if training.dataloader_drop_last else -(-rows // batch)
    return max(1, -(-micro // training.gradient_accumulation_steps))


def a_step(rows: int, training: GRPOArguments | SFTArguments) -> str:
    """What a step is made of, and how many of them `rows` make."""
    per_device, accumulated = training.per_device_train_batch_size, training.gradient_accumulation_steps
    processes = training.world_size
    batch = per_device * accumulated * processes
    made_of = f"{per_device} a device x {processes} process{'es' * (processes > 1)} x {accumulated} accumulated"
    epoch = steps_an_epoch(rows, training)
    steps = training.max_steps if training.max_steps > 0 else ceil(epoch * training.num_train_epochs)
    if isinstance(training, GRPOArguments):
        group = training.num_generations
        a_step = f"{batch / group:g} prompts a step, {batch} completions a step ({group} a prompt; {made_of})"
    else:
        a_step = f"{batch} rows a step ({made_of})"
    return f"{a_step}, {epoch} steps an epoch, {steps} steps in all"
