"""Stop a run at the first optimiser step in which something is not finite, before that is saved or learnt from.

A NaN spreads to every weight within a step, and nothing after it is worth its hours: what is on disk stays the last
finite checkpoint. Looked at are the logits that rollouts are sampled from, the loss, the gradients before the step and
the weights after it; all processes stop together. With float16's loss scaling, gradients that overflow are its way to
find the scale, and count only once the scale has fallen below 1.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch
from accelerate.utils import gather_object
from torch.nn.utils import get_total_norm
from transformers import Trainer
from typing_extensions import override

from vlm_grpo.adapters.finite import first_not_finite
from vlm_grpo.errors import UserError
from vlm_grpo.methods.metrics import METRICS
from vlm_grpo.methods.resume import checkpoints
from vlm_grpo.methods.resume.attempts import DIVERGED, AttemptLog
from vlm_grpo.methods.resume.stopping import any_process, leave_telling
from vlm_grpo.store import jsonl

Named = Sequence[tuple[str, torch.Tensor]]


class Diverged(UserError):
    """What is not finite, and in which optimiser `step` (from 1)."""

    def __init__(self, what: str, *, step: int) -> None:
        super().__init__(f"{what} is not finite (NaN or infinity) in step {step}")
        self.what, self.step = what, step


class StopsWhenDiverged(Trainer):
    """Mixin in front of a trainer of TRL's: raises `Diverged` in every process."""

    _losses_are_finite: torch.Tensor | None = None
    _sampled: str | None = None
    """What was not finite in the rollouts of this step."""

    @override
    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        loss = super().training_step(*args, **kwargs)
        is_finite = torch.isfinite(loss.detach()).all()
        self._losses_are_finite = is_finite if self._losses_are_finite is None else self._losses_are_finite & is_finite
        if self.accelerator.sync_gradients:
            self._stop_if(self._culprit_before_step(), step=self.state.global_step + 1)
            self._losses_are_finite = self._sampled = None
        return loss

    @override
    def _maybe_log_save_evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Called after each optimiser step, before it may be saved."""
        bad = _first_not_finite(self._trained())
        self._stop_if(f"the weight {bad}" if bad else None, step=self.state.global_step)
        return super()._maybe_log_save_evaluate(*args, **kwargs)

    def _culprit_before_step(self) -> str | None:
        if self._sampled is not None:
            return self._sampled
        if not self._losses_are_finite:
            return "the loss"
        scaler = self.accelerator.scaler
        if scaler is not None and scaler.get_scale() >= 1:
            return None
        bad = _first_not_finite([(name, p.grad) for name, p in self._trained() if p.grad is not None])
        return f"the gradient of {bad}" if bad else None

    def _trained(self) -> list[tuple[str, torch.nn.Parameter]]:
        model = self.accelerator.unwrap_model(self.model)
        return [(name, p) for name, p in model.named_parameters() if p.requires_grad]

    def _stop_if(self, culprit: str | None, *, step: int) -> None:
        if any_process(culprit is not None, self.args):
            raise Diverged(next(what for what in gather_object([culprit]) if what is not None), step=step)


def leave_diverged(trainer: Trainer, log: AttemptLog, died: Diverged) -> NoReturn:
    """Say where the user looks why the run died (its attempts, its metrics, stderr), and leave with exit code 2."""
    args, run = trainer.args, Path(trainer.args.output_dir)
    trainer.callback_handler.on_train_end(args, trainer.state, trainer.control)
    kept = checkpoints.find(run).newest
    stays = "no checkpoint was saved" if kept is None else f"the last finite checkpoint is {kept.name}"
    clipping = f"max_grad_norm (it was {args.max_grad_norm:g})" if args.max_grad_norm else "with max_grad_norm: 1"
    line = (
        f"{run}: training died after {died.step - 1} steps: {died} of {trainer.state.max_steps}; {stays}; start again "
        f"in another output_dir with a lower learning_rate (it was {args.learning_rate:g}) or {clipping}"
    )
    if trainer.is_world_process_zero():
        log.end(DIVERGED, step=died.step - 1, reason=str(died))
        with jsonl.Appender(run / METRICS) as metrics:
            metrics.append([{"step": died.step, "not_finite": died.what}])
    leave_telling(line, trainer)


def _first_not_finite(tensors: Named) -> str | None:
    """As `first_not_finite`, for every step: one number is waited for while all is well."""
    norm = get_total_norm([tensor.detach() for _, tensor in tensors if tensor.numel()], float("inf"))
    return None if torch.isfinite(norm) else first_not_finite(tensors)
