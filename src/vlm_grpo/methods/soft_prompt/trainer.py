"""TRL's `SFTTrainer` on batches with virtual tokens, and the loss against a teacher's likeliest tokens.

The loss is TRL's: each answer token from the position before it, a mean over the batch's answer tokens. With a share
`teacher_weight` of it the answer's tokens are the teacher's distribution instead (`teacher.py`).
"""

from collections.abc import Callable
from typing import Any

import torch
from typing_extensions import override

from vlm_grpo.adapters import virtual_tokens as virtual
from vlm_grpo.methods.sft.trainer import StudySFTTrainer
from vlm_grpo.methods.soft_prompt.teacher import TeacherLogits, distance

IGNORED = -100
_TEACHER = "teacher"
DISTANCE = "distance_from_teacher"
"""The logged metric: the mean Kullback-Leibler divergence from the teacher, in nats a token."""


class SoftPromptTrainer(StudySFTTrainer):
    """`StudySFTTrainer` with `virtual_tokens` before each row.

    `teacher` (None: it is not asked) has a share `teacher_weight` of the loss.
    """

    def __init__(
        self, *, virtual_tokens: int, teacher: TeacherLogits | None = None, teacher_weight: float = 0.0, **sft: Any
    ) -> None:
        super().__init__(**sft)
        self.data_collator = _Prompted(self.data_collator, virtual_tokens, teacher)
        self._teacher_weight = teacher_weight

    @override
    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        teacher = inputs.pop(_TEACHER, None)
        if teacher is None:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        labels = inputs.pop("labels")[:, 1:]
        logits = model(**inputs, use_cache=False).logits[:, :-1]
        learnt = labels != IGNORED
        log_probs = logits[learnt].float().log_softmax(dim=-1)
        own = -log_probs.gather(1, labels[learnt].unsqueeze(1)).squeeze(1)
        apart = distance(log_probs, *teacher)
        tokens = learnt.sum() if num_items_in_batch is None else num_items_in_batch
        loss = ((1 - self._teacher_weight) * own + self._teacher_weight * apart).sum() / tokens
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes
        self._note(log_probs.detach(), labels[learnt], apart.detach(), inputs["attention_mask"])
        return loss

    def _note(
        self, log_probs: torch.Tensor, labels: torch.Tensor, apart: torch.Tensor, attention_mask: torch.Tensor
    ) -> None:
        """The metrics that TRL's own loss logs, and the distance from the teacher."""
        entropy = -(log_probs.exp() * log_probs).sum(dim=-1)
        right = (log_probs.argmax(dim=-1) == labels).float()
        sums = torch.stack([entropy.sum(), right.sum(), apart.sum(), torch.tensor(float(len(labels))).to(apart)])
        sums = self.accelerator.reduce(sums, reduction="sum")
        metrics = self._metrics["train"]
        for name, value in zip(("entropy", "mean_token_accuracy", DISTANCE), sums[:3] / sums[3], strict=True):
            metrics[name].append(value.item())
        self._total_train_tokens += int(self.accelerator.gather(attention_mask.sum()).sum())
        metrics["num_tokens"] = [self._total_train_tokens]


class _Prompted:
    """A collator whose rows have virtual tokens in front, and what the teacher would say beside them."""

    def __init__(
        self, collator: Callable[[list[dict[str, Any]]], dict[str, Any]], count: int, teacher: TeacherLogits | None
    ) -> None:
        self._collator, self._count, self._teacher = collator, count, teacher

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        batch: dict[str, Any] = virtual.insert(self._collator(rows), self._count)
        if self._teacher is not None:
            learnt = [labels[labels != IGNORED] for labels in batch["labels"]]
            batch[_TEACHER] = self._teacher.of([row["id"] for row in rows], learnt)
        return batch
