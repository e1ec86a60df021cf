"""A teacher's likeliest tokens at each token of its traces: on disk, and as a target.

K tokens and their log-probabilities a position (some 6 K bytes), never a row over the whole vocabulary. What the
teacher leaves for all other tokens is one lump, so the distance is the Kullback-Leibler divergence over K + 1 events:
at most that of the whole rows, and zero only where the student gives each of the K what the teacher does.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from vlm_grpo.errors import UserError

FILE = "teacher_logits.safetensors"
IDS, LOG_PROBS, LABELS = "ids", "log_probs", "labels"
LEAST = 1e-6
"""Probability that the lump of all other tokens has at least, so that its logarithm is finite."""


def likeliest(logits: torch.Tensor, labels: torch.Tensor, *, count: int) -> dict[str, torch.Tensor]:
    """What is kept of a trace with `labels` (T,) and the teacher's `logits` (T, V) for them: `count` tokens each."""
    log_probs, ids = logits.float().log_softmax(dim=-1).topk(min(count, logits.shape[-1]), dim=-1)
    return {IDS: ids.int().cpu(), LOG_PROBS: log_probs.half().cpu(), LABELS: labels.int().cpu()}


def write(folder: Path, traces: Mapping[str, Mapping[str, torch.Tensor]]) -> None:
    """Write what is kept of each trace, by row id, to `folder`."""
    tensors = {f"{id}/{name}": tensor for id, kept in traces.items() for name, tensor in kept.items()}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / FILE)


def distance(log_probs: torch.Tensor, ids: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """The divergence (T,) in nats of a student's `log_probs` (T, V) from a teacher's `teacher` (T, K) for `ids`."""
    student = log_probs.gather(1, ids.long())
    known = (teacher.exp() * (teacher - student)).sum(dim=-1)
    left, own = (_rest(log) for log in (teacher, student))
    return known + left * (left.log() - own.log())


def _rest(log_probs: torch.Tensor) -> torch.Tensor:
    return (1 - log_probs.exp().sum(dim=-1)).clamp(min=LEAST)


class TeacherLogits:
    """The kept logits of the traces in the data set `folder`; `UserError` where it has none."""

    def __init__(self, folder: Path) -> None:
        if not (folder / FILE).is_file():
            raise UserError(f"{folder} has no {FILE}, which teacher_weight needs; build it with --logits 32")
        self._folder = folder
        self._tensors = load_file(folder / FILE)

    def of(self, ids: Sequence[str], labels: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens (T, K) and log-probabilities (T, K) of the rows `ids`, one after the other, of the tokens `labels`.

        `UserError` where a row has none, or its trace has become other tokens since.
        """
        for id, learnt in zip(ids, labels, strict=True):
            kept = self._tensors.get(f"{id}/{LABELS}")
            if kept is None or kept.tolist() != learnt.tolist():
                raise UserError(
                    f"{self._folder / FILE}: row {id} has {'no logits' if kept is None else 'those of other tokens'}; "
                    "build the data set again, with this base's tokenizer and chat template"
                )
        return (
            torch.cat([self._tensors[f"{id}/{IDS}"] for id in ids]),
            torch.cat([self._tensors[f"{id}/{LOG_PROBS}"] for id in ids]).float(),
        )
