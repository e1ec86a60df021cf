"""Are weights and logits finite? A model with a NaN or an infinity in it answers, and what it answers is noise.

Weights are looked at once, in memory, after they are loaded (half a second for three billion); logits as they come.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import safe_open
from transformers import PreTrainedModel

from vlm_grpo.errors import UserError


def first_not_finite(tensors: Iterable[tuple[str, torch.Tensor]]) -> str | None:
    """The name of the first of the named `tensors` that holds a NaN or an infinity; None where all are finite."""
    named = [(name, tensor.detach()) for name, tensor in tensors if tensor.is_floating_point() and tensor.numel()]
    if not named:
        return None
    ends = [torch.stack(tensor.aminmax()).float() for _, tensor in named]
    finite = torch.isfinite(torch.stack([end.to(ends[0].device) for end in ends])).all(dim=1).cpu()
    return None if finite.all() else named[int(finite.logical_not().nonzero()[0])][0]


def check_file(path: Path, *, where: str) -> None:
    """`UserError` naming the first tensor of the safetensors file `path` that is not finite; meant for adapters."""
    with safe_open(path, framework="pt") as file:
        bad = first_not_finite((name, file.get_tensor(name)) for name in file.keys())  # noqa: SIM118
    if bad is not None:
        raise UserError(
            f"{where}: {path.name}: {bad} is not finite (NaN or infinity), so its training died; train again with a "
            "lower learning_rate, or take a checkpoint from before that"
        )


class LogitsWatch:
    """Whether any logits seen so far were not finite."""

    def __init__(self) -> None:
        self._finite: torch.Tensor | None = None

    @property
    def is_finite(self) -> bool:
        """True while every logit was finite; waits for the device."""
        return self._finite is None or bool(self._finite)

    def see(self, head: torch.nn.Module, inputs: tuple[torch.Tensor, ...], logits: torch.Tensor) -> torch.Tensor:
        """A forward hook of the output layer: looks at `logits` and passes on finite ones, so that sampling goes on."""
        finite = torch.isfinite(torch.stack(logits.detach().aminmax())).all()
        self._finite = finite if self._finite is None else self._finite & finite
        return torch.nan_to_num(logits)


@contextmanager
def watch_logits(model: PreTrainedModel) -> Iterator[LogitsWatch]:
    """Watch the logits of `model` within the context.

    The most likely token of NaNs is the vocabulary's first, and sampling from them crashes: neither says what is wrong.
    """
    watch = LogitsWatch()
    hook = model.get_output_embeddings().register_forward_hook(watch.see)
    try:
        yield watch
    finally:
        hook.remove()
