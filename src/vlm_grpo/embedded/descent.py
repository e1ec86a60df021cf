"""How weights follow a loss: plain AdamW, gradients of bounded norm, one cycle of the learning rate."""

from collections.abc import Iterable

import torch

BETAS = (0.9, 0.98)
WEIGHT_DECAY = 0.01
MAX_GRADIENT_NORM = 1.0
WARMUP = 0.1
"""Share of the steps over which the learning rate rises."""


class Descent:
    """Takes `steps` steps on `parameters`; the learning rate rises to `peak` and falls again."""

    def __init__(self, parameters: Iterable[torch.nn.Parameter], *, peak: float, steps: int) -> None:
        self._parameters = list(parameters)
        self._optimizer = torch.optim.AdamW(self._parameters, lr=peak, betas=BETAS, weight_decay=WEIGHT_DECAY)
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(
            self._optimizer, peak, total_steps=steps + 1, pct_start=WARMUP
        )

    def step(self, loss: torch.Tensor) -> None:
        """Follow the gradient of `loss` once."""
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._parameters, MAX_GRADIENT_NORM)
        self._optimizer.step()
        self._schedule.step()
        self._optimizer.zero_grad()
