"""`ExactResume`: what a TRL trainer needs so that a continued run equals an undisturbed one.

`transformers` restores the weights, the optimiser, the scheduler, the scaler and the random numbers. This adds the
order of the rows in every epoch (TRL's sampler starts its shuffles over after a resume), the loss since the last log
(of which the next log is to tell the mean), and checkpoints that are published whole or not at all. `epoch_order.py`
has the order, `checkpoints.py` the publishing, `grpo_state.py` what GRPO keeps between two steps.
"""

from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, Trainer
from typing_extensions import override

from vlm_grpo.methods.resume import checkpoints

_LOSS = "unlogged_loss_{process}.pt"


class ExactResume(Trainer):
    """Mixin in front of a trainer of TRL's."""

    _aside: Path | None = None
    _unlogged: dict[str, Any] | None = None

    @override
    def _get_output_dir(self, trial: Any = None) -> str:
        return str(self._aside) if self._aside else super()._get_output_dir(trial)

    @override
    def _save_checkpoint(self, model: Any, trial: Any = None) -> None:
        """Every process writes its part aside; the main one publishes the whole."""
        run = Path(self.args.output_dir)
        if self.is_world_process_zero():
            checkpoints.clear_aside(run)
        self.accelerator.wait_for_everyone()
        self._aside = run / checkpoints.ASIDE
        folder = self._aside / f"checkpoint-{self.state.global_step}"
        super()._save_checkpoint(model, trial)
        unlogged = {"loss": self._tr_loss.item(), "since": self._globalstep_last_logged}
        torch.save(unlogged, self._loss_file(folder))
        self._save_extra_state(folder)
        self._aside = None
        self.accelerator.wait_for_everyone()
        if self.is_world_process_zero():
            checkpoints.publish(folder, run, finished=self.state.global_step >= self.state.max_steps)
            checkpoints.clear_aside(run)
            checkpoints.retire(run, keep=self.args.save_total_limit)
        self.accelerator.wait_for_everyone()

    @override
    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """All weights, by whatever names the file has: the `Trainer` passes over those that the model has not."""
        whole = self.model if model is None else model
        if not isinstance(whole, PreTrainedModel):
            super()._load_from_checkpoint(resume_from_checkpoint, model)
            return
        saved = type(whole).from_pretrained(resume_from_checkpoint, dtype=whole.dtype, local_files_only=True)
        whole.load_state_dict(saved.state_dict())

    @override
    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is not None:
            self._unlogged = torch.load(self._loss_file(Path(checkpoint)), weights_only=True)
            self._load_extra_state(Path(checkpoint))

    @override
    def _run_epoch(self, *args: Any, **kwargs: Any) -> Any:
        """Take back the unlogged loss, which the trainer has set to zero just before the first epoch."""
        if self._unlogged is not None:
            self._tr_loss += self._unlogged["loss"]
            self._globalstep_last_logged = self._unlogged["since"]
            self._unlogged = None
        return super()._run_epoch(*args, **kwargs)

    def _loss_file(self, folder: Path) -> Path:
        return folder / _LOSS.format(process=self.args.process_index)

    def _save_extra_state(self, folder: Path) -> None:
        """Write what the method keeps between two steps to `folder`; this process's part of it."""

    def _load_extra_state(self, folder: Path) -> None:
        """Take back what `_save_extra_state` wrote."""

    def _epoch(self) -> int:
        """The epoch that begins, or goes on after a resume: 0, 1, 2, ..."""
        return int(self.state.epoch or 0)
