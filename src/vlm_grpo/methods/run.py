"""What SFT and GRPO share: vet the inputs, claim the output folder, resume, train, save, write the manifest."""

import shutil
import sys
import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import torch
from transformers import PreTrainedModel, PrinterCallback, Trainer, TrainingArguments

from vlm_grpo import yaml_scalars
from vlm_grpo.adapters import asked, finite
from vlm_grpo.adapters.askable import Askable, check_askable
from vlm_grpo.adapters.attention import check_attention
from vlm_grpo.adapters.checkpoint import Checkpoint, is_here, open_checkpoint
from vlm_grpo.adapters.lengths import PromptLengths, check_lengths, context_length
from vlm_grpo.adapters.lora_fit import WEIGHTS
from vlm_grpo.adapters.precision import pick_dtype
from vlm_grpo.config import Parsed
from vlm_grpo.errors import UserError
from vlm_grpo.methods import examples, preview, tracking
from vlm_grpo.methods.arguments import GRPOArguments, SFTArguments, StudyArguments
from vlm_grpo.methods.asked import asked_by, tell_other_pictures
from vlm_grpo.methods.divergence import Diverged, leave_diverged
from vlm_grpo.methods.registry import METHODS
from vlm_grpo.methods.rehearsal import check_optimiser, check_trackers
from vlm_grpo.methods.resume import attempts, checkpoints
from vlm_grpo.methods.resume.attempts import DONE, STOPPED, AttemptLog
from vlm_grpo.methods.resume.stopping import (
    EXIT_STOPPED,
    EndedEarly,
    StopAtStepEnd,
    StopRequest,
    leave,
    leave_telling,
)
from vlm_grpo.methods.settings import check_resumable
from vlm_grpo.methods.sizes import check_processes
from vlm_grpo.rows import dataset
from vlm_grpo.rows.pictures import check_pictures
from vlm_grpo.rows.records import Row
from vlm_grpo.store import atomic, manifest
from vlm_grpo.tasks import asking
from vlm_grpo.tasks.asking import messages
from vlm_grpo.tasks.registry import check_solutions
from vlm_grpo.yaml_layers import traced

FINAL = "final"
TRAINING_STATE = (
    checkpoints.MARK,
    "optimizer*",
    "scheduler*",
    "scaler*",
    "rng_state*",
    "unlogged_loss*",
    "trainer_state.json",
    "global_step*",
    "latest",
    "zero_to_fp32.py",
)
"""What every method's checkpoints hold beside the weights; the methods name their own files."""

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
PLACES = ("output_dir", "run_name", "logging_dir", "report_to", "project", "trackio_space_id")


@dataclass(frozen=True)
class DrawnRows:
    """The rows of a run: the data set's root, the rows in order and their fingerprint.

    `where` says which they are, to open an error's line.
    """

    where: str
    root: Path
    rows: list[Row]
    fingerprint: str


@dataclass(frozen=True)
class TrainingInputs:
    """The vetted base and the vetted rows."""

    base: Checkpoint
    data: DrawnRows


def hush_renamed_settings() -> None:
    """Silence the warning about `gradient_checkpointing`: TRL's name for what transformers is about to rename."""
    warnings.filterwarnings("ignore", message=".*gradient_checkpointing.* is deprecated", category=FutureWarning)


def check_settings(training: GRPOArguments | SFTArguments) -> None:
    """`UserError` for settings that would stop a run of either method once its model is loaded, or when it resumes."""
    check_trackers(training)
    check_optimiser(training)
    check_resumable(training)


def check_machine(study: StudyArguments, training: GRPOArguments | SFTArguments) -> None:
    """`UserError` where this machine lacks what the settings need; a dry run may happen on another."""
    check_attention(study.attention)
    check_processes(training)


def open_inputs(study: StudyArguments) -> TrainingInputs:
    """Vet the base and the rows; every mistake in either is told before any weight is loaded."""
    return TrainingInputs(base=open_checkpoint(study.model), data=open_rows(study))


def open_rows(study: StudyArguments) -> DrawnRows:
    """Draw the rows and check their solutions and pictures."""
    root = Path(study.data)
    where = f"{root} split {study.split!r}"
    drawn = examples.draw(dataset.load(root, study.split), count=study.num_rows, seed=study.row_seed, where=where)
    check_solutions(drawn, where=where)
    check_pictures(drawn, root=root)
    return DrawnRows(where=where, root=root, rows=drawn, fingerprint=dataset.fingerprint(drawn))


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
    print(f"# data:   {study.data}{'' if built else ' (not built yet; see scripts/create_dataset.sh)'}")
    if built:
        rows = len(open_rows(study).rows)
        print(f"# rows:   {rows} of split {study.split!r}")
        print(f"# step:   {preview.a_step(rows, training)}")
    print(f"# output: {run} ({'resumes from ' + resume.name if resume else 'starts afresh'})")
    print(f"# on:     {devices}, {pick_dtype(training.dtype)}, seed {training.seed}")
    print(traced(resolved(parsed), parsed.sources), end="")


def identify(
    kind: str, inputs: TrainingInputs, settings: dict[str, Any], training: GRPOArguments | SFTArguments
) -> dict[str, Any]:
    """What makes this run itself; `UserError` where its output folder belongs to another."""
    identity = {
        "kind": kind,
        "base": inputs.base.fingerprint,
        "rows": inputs.data.fingerprint,
        "processes": training.world_size,
        **{k: v for k, v in settings.items() if k not in PLACES},
    }
    if training.should_save:
        manifest.is_claimed(Path(training.output_dir), identity)
    return identity


def claim(identity: dict[str, Any], settings: dict[str, Any], training: GRPOArguments | SFTArguments) -> Path:
    """Claim the output folder for this run and save the resolved settings; return the folder."""
    run = Path(training.output_dir)
    if training.should_save:
        manifest.claim(run, identity)
        tracking.continue_run(training, identity, str(run.absolute()))
        atomic.write_text(run / "config.yaml", yaml_scalars.dump(settings))
    return run


def load(
    inputs: TrainingInputs,
    study: StudyArguments,
    training: GRPOArguments | SFTArguments,
    *,
    completion_tokens: int,
    texts: Callable[[Row], Iterable[str]] = asking.texts,
) -> tuple[Any, PreTrainedModel]:
    """The base's processor and model; the trainer decides on devices. `texts` is what the model reads of a row.

    `UserError` naming the first row that the base cannot be asked, or whose prompt leaves no room for
    `completion_tokens` in its context.
    """
    base, data = inputs.base, inputs.data
    processor = base.load_processor(**study.image_options)
    if training.should_save:
        tell_other_pictures(base.path, processor)
    check_askable(data.rows, Askable(base.adapter, processor, root=data.root, texts=texts), where=data.where)
    tokens = check_lengths(
        data.rows,
        PromptLengths(base.adapter, processor, root=data.root, ask=partial(messages, template=study.prompt)),
        limit=context_length(base.path) - completion_tokens,
        where=data.where,
    )
    if training.should_save:
        print(*preview.lines(data.rows, tokens, training), sep="\n", file=sys.stderr, flush=True)
    return processor, base.load_model(dtype=pick_dtype(training.dtype), attention=study.attention)


def train(
    kind: str,
    trainer: Trainer,
    inputs: TrainingInputs,
    settings: dict[str, Any],
    *,
    stop: StopRequest,
    **counts: int,
) -> None:
    """Train from the newest complete checkpoint, save the adapter to `final/`, write the manifest last.

    Leaves with exit code 85 where `stop` asked for it before the last step.
    """
    run = Path(trainer.args.output_dir)
    resume = checkpoints.find(run)
    if trainer.is_world_process_zero():
        for path, flaw in resume.skipped:
            print(f"skipping {path}: {flaw}", file=sys.stderr, flush=True)
        if resume.newest is not None:
            print(f"resuming from {resume.newest}", file=sys.stderr, flush=True)
    if resume.newest is not None:
        finite.check_file(resume.newest / WEIGHTS, where=str(resume.newest))
    log = AttemptLog(run)
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(log)
    stopping = StopAtStepEnd(stop)
    trainer.add_callback(stopping)
    if resume.finished:
        _copy_weights(resume.newest, run / FINAL, trainer, state=(*TRAINING_STATE, *METHODS[kind].state_files))
    else:
        try:
            trainer.train(resume_from_checkpoint=str(resume.newest) if resume.newest else None)
        except Diverged as died:
            leave_diverged(trainer, log, died)
        except EndedEarly as ended:
            _leave_early(trainer, log, ended)
        _leave_if_unfinished(trainer, log, stop, was_asked=stopping.was_asked)
        trainer.save_model(str(run / FINAL))
    trainer.accelerator.wait_for_everyone()
    if trainer.is_world_process_zero():
        steps = resume.step if resume.finished else trainer.state.global_step
        asked.write(run / FINAL, asked_by(settings, trainer.processing_class))
        _finish(kind, run, inputs, settings, log, seed=trainer.args.seed, steps=steps, **counts)
    leave(0, processes=trainer.args.world_size)


def _finish(
    kind: str,
    run: Path,
    inputs: TrainingInputs,
    settings: dict[str, Any],
    log: AttemptLog,
    *,
    seed: int,
    steps: int,
    **counts: int,
) -> None:
    base = inputs.base
    atomic.write_json(
        run / FINAL / "base.json",
        {"name": base.name, "fingerprint": base.fingerprint, "family": base.adapter.family},
    )
    log.end(DONE, step=steps)
    manifest.write(
        run,
        kind=kind,
        config=settings,
        inputs={"base": base.fingerprint, "rows": inputs.data.fingerprint},
        counts={"rows": len(inputs.data.rows), "steps": steps, **counts},
        seconds=attempts.seconds(run),
        seeds={"seed": seed, "row_seed": settings["row_seed"]},
    )


def _copy_weights(checkpoint: Path | None, final: Path, trainer: Trainer, *, state: tuple[str, ...]) -> None:
    """Make `final` from the checkpoint after the last step, less `state`: the run was cut off between the two."""
    assert checkpoint is not None
    if trainer.is_world_process_zero():
        shutil.copytree(checkpoint, final, ignore=shutil.ignore_patterns(*state), dirs_exist_ok=True)


def _leave_early(trainer: Trainer, log: AttemptLog, ended: EndedEarly) -> NoReturn:
    step = trainer.state.global_step
    trainer.callback_handler.on_train_end(trainer.args, trainer.state, trainer.control)
    if trainer.is_world_process_zero():
        log.end(STOPPED, step=step, reason=str(ended))
    leave_telling(
        f"{trainer.args.output_dir}: stopped after step {step} of {trainer.state.max_steps}: {ended}; "
        f"checkpoint-{step} is saved, and the same command goes on; or start again in another output_dir with "
        f"{ended.advice}",
        trainer,
    )


def _leave_if_unfinished(trainer: Trainer, log: AttemptLog, stop: StopRequest, *, was_asked: bool) -> None:
    step = trainer.state.global_step
    if step >= trainer.state.max_steps:
        return
    if not was_asked:
        raise UserError(
            f"the run ended by itself after step {step} of {trainer.state.max_steps}: its rows fill no further batch; "
            "give more rows, or smaller batches"
        )
    if trainer.is_world_process_zero():
        log.end(STOPPED, step=step, signal=stop.name)
        print(f"stopped after step {step} of {trainer.state.max_steps}; the same command goes on", file=sys.stderr)
    trainer.accelerator.wait_for_everyone()
    leave(EXIT_STOPPED, processes=trainer.args.world_size)
