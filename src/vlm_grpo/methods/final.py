"""What a finished run leaves in `final/`: the adapter, or, where the weights themselves trained, a whole checkpoint.

A whole checkpoint is stored in the base's number format, though the run holds its weights in float32, and everything
beside the weights is the base's: any command takes it as a model, without a merge.
"""

import shutil
from pathlib import Path

from accelerate.utils import is_peft_model
from transformers import Trainer

from vlm_grpo.adapters import derived
from vlm_grpo.adapters.checkpoint import Checkpoint
from vlm_grpo.adapters.lora_fit import WEIGHTS

FINAL, ASIDE = "final", "final.saving"


def save(trainer: Trainer, *, base: Checkpoint) -> None:
    """Write what `trainer` has made of `base`; every process takes part."""
    run = Path(trainer.args.output_dir)
    if is_peft_model(trainer.model):
        trainer.save_model(str(run / FINAL))
        return
    trainer.save_model(str(run / ASIDE))
    trainer.accelerator.wait_for_everyone()
    if trainer.is_world_process_zero():
        _whole(run / ASIDE, run / FINAL, trainer, base)
        shutil.rmtree(run / ASIDE)


def copy(checkpoint: Path, trainer: Trainer, *, base: Checkpoint, state: tuple[str, ...]) -> None:
    """The same from the `checkpoint` after the last step, less `state`: the run was cut off between the two."""
    final = Path(trainer.args.output_dir) / FINAL
    if not trainer.is_world_process_zero():
        return
    if is_peft_model(trainer.model):
        shutil.copytree(checkpoint, final, ignore=shutil.ignore_patterns(*state), dirs_exist_ok=True)
    else:
        _whole(checkpoint, final, trainer, base)


def weights_of(checkpoint: Path) -> list[Path]:
    """The files of what a run's `checkpoint` trains: the adapter's, or all weights."""
    return [checkpoint / WEIGHTS] if (checkpoint / WEIGHTS).exists() else derived.weights_files(checkpoint)


def _whole(trained: Path, final: Path, trainer: Trainer, base: Checkpoint) -> None:
    dtype = derived.trained_dtype(base)
    derived.take_weights(final, trained, dtype)
    derived.complete(final, base, trainer.processing_class, dtype)
