"""The settings of a run as they are resolved, and what a dry run shows of them."""

from dataclasses import asdict, fields
from enum import Enum
from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments

from vlm_grpo.adapters.checkpoint import is_here
from vlm_grpo.adapters.precision import pick_dtype
from vlm_grpo.config import Parsed
from vlm_grpo.methods.arguments import GRPOArguments, SFTArguments, StudyArguments
from vlm_grpo.methods.inputs import open_rows
from vlm_grpo.methods.preview import a_step
from vlm_grpo.methods.resume import checkpoints
from vlm_grpo.store import manifest
from vlm_grpo.yaml_layers import traced

NOT_BUILT = " (not built yet: own records are by the run, VSR by scripts/create_dataset.sh, others as a config says)"
ALWAYS_SHOWN = {
    "dtype",
    "seed",
    "learning_rate",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "num_generations",
    "max_completion_length",
    "beta",
    "loss_type",
    "temperature",
}
OF_A_REFERENCE_THAT_FOLLOWS = {"ref_model_sync_steps", "ref_model_mixup_alpha"}


def resolved(parsed: Parsed) -> dict[str, Any]:
    """Every setting of ours, and those of TRL's that the user set or that decide what a step is."""
    settings: dict[str, Any] = {}
    for arguments in parsed.arguments:
        if isinstance(arguments, TrainingArguments):
            shown = parsed.given | ALWAYS_SHOWN
            if getattr(arguments, "sync_ref_model", False):
                shown |= OF_A_REFERENCE_THAT_FOLLOWS
            settings |= {f.name: getattr(arguments, f.name) for f in fields(arguments) if f.init and f.name in shown}
        else:
            settings |= asdict(arguments)
    return {k: _plain(v) for k, v in sorted(settings.items())}


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def show_plan(kind: str, study: StudyArguments, parsed: Parsed, training: GRPOArguments | SFTArguments) -> None:
    """Print what would run, and the resolved settings with their places; nothing is downloaded, written or claimed."""
    run = Path(training.output_dir)
    resume = checkpoints.find(run).newest
    devices = f"{torch.cuda.device_count()} GPU(s)" if torch.cuda.is_available() else "the CPU"
    print(f"# {kind}, dry run: nothing is downloaded or written")
    print(
        f"# base:   {study.model}{'' if is_here(study.model) else ' (not on this machine; the hub has to be reached)'}"
    )
    built = manifest.exists(Path(study.data))
    print(f"# data:   {study.data}{'' if built else NOT_BUILT}")
    if built:
        rows = len(open_rows(study).rows)
        print(f"# rows:   {rows} of split {study.split!r}")
        print(f"# step:   {a_step(rows, training)}")
    print(f"# output: {run} ({'resumes from ' + resume.name if resume else 'starts afresh'})")
    print(f"# on:     {devices}, {pick_dtype(training.dtype)}, seed {training.seed}")
    print(traced(resolved(parsed), parsed.sources), end="")
