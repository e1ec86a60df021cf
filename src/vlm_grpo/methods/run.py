"""What SFT and GRPO share: check the settings, claim the output folder, resume, train, save, write the manifest."""

import sys
from pathlib import Path
from typing import Any, NoReturn

import torch
from transformers import PrinterCallback, Trainer

from vlm_grpo import yaml_scalars
from vlm_grpo.adapters import asked, finite
from vlm_grpo.adapters.attention import check_attention
from vlm_grpo.adapters.derived import BASE
from vlm_grpo.errors import UserError
from vlm_grpo.methods import final, tracking
from vlm_grpo.methods.arguments import GRPOArguments, SFTArguments, StudyArguments
from vlm_grpo.methods.asked import asked_by
from vlm_grpo.methods.divergence import Diverged, leave_diverged
from vlm_grpo.methods.final import FINAL
from vlm_grpo.methods.inputs import TrainingInputs
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
from vlm_grpo.store import atomic, manifest

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
    "zero_to_*.py",
)
"""What every method's checkpoints hold beside the weights; the methods name their own files."""

PLACES = (
    *("output_dir", "run_name", "logging_dir", "report_to", "project", "trackio_space_id"),
    *("judge_base_url", "judge_max_cost"),
)
"""Settings that do not make a run another one."""

LESS_MEMORY = (
    "lower per_device_train_batch_size and raise gradient_accumulation_steps by as much, then lower "
    "max_completion_length, max_pixels or num_generations; or shard over GPUs (configs/accelerate/)"
)


def check_settings(training: GRPOArguments | SFTArguments) -> None:
    """`UserError` for settings that would stop a run of either method once its model is loaded, or when it resumes."""
    check_trackers(training)
    check_optimiser(training)
    check_resumable(training)


def check_machine(study: StudyArguments, training: GRPOArguments | SFTArguments) -> None:
    """`UserError` where this machine lacks what the settings need; a dry run may happen on another."""
    check_attention(study.attention)
    check_processes(training)


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


def train(
    kind: str,
    trainer: Trainer,
    inputs: TrainingInputs,
    settings: dict[str, Any],
    *,
    stop: StopRequest,
    **counts: int,
) -> None:
    """Train from the newest complete checkpoint, save the weights to `final/`, write the manifest last.

    Leaves with exit code 85 where `stop` asked for it before the last step.
    """
    run = Path(trainer.args.output_dir)
    resume = checkpoints.find(run)
    if trainer.is_world_process_zero():
        for path, flaw in resume.skipped:
            print(f"skipping {path}: {flaw}", file=sys.stderr, flush=True)
        if resume.newest is not None:
            print(f"resuming from {resume.newest}", file=sys.stderr, flush=True)
    for weights in final.weights_of(resume.newest) if resume.newest else ():
        finite.check_file(weights, where=str(resume.newest))
    log = AttemptLog(run)
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(log)
    stopping = StopAtStepEnd(stop)
    trainer.add_callback(stopping)
    if resume.finished:
        assert resume.newest is not None
        final.copy(resume.newest, trainer, base=inputs.base, state=(*TRAINING_STATE, *METHODS[kind].state_files))
    else:
        try:
            trainer.train(resume_from_checkpoint=str(resume.newest) if resume.newest else None)
        except Diverged as died:
            leave_diverged(trainer, log, died)
        except EndedEarly as ended:
            _leave_early(trainer, log, ended)
        except torch.OutOfMemoryError as error:
            step = trainer.state.global_step
            said = str(error).partition(". ")[0]
            raise UserError(
                f"memory ran out in step {step + 1} ({said}); in another output_dir {LESS_MEMORY}"
            ) from None
        _leave_if_unfinished(trainer, log, stop, was_asked=stopping.was_asked)
        final.save(trainer, base=inputs.base)
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
        run / FINAL / BASE,
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
