"""Try what the trainer makes of the settings once the model is loaded, on one number, before it is.

An optimiser whose package is absent, arguments that a learning rate's schedule does not know, a tracker that does not
exist: transformers meets them after minutes of loading.
"""

import importlib.util

import torch
from transformers import Trainer, TrainingArguments, get_scheduler
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

from vlm_grpo.errors import UserError
from vlm_grpo.ranges import wrong

REFUSALS = (ValueError, TypeError, KeyError, AttributeError, ImportError, RuntimeError)
"""What transformers' makers of optimisers and schedules raise on settings that they cannot use."""
STEPS = 10
TRACKERS = {"azure_ml": ("azureml",), "flyte": ("flytekit",), "tensorboard": ("tensorboard", "tensorboardX")}
"""The packages of a tracker, one of which must be there, where they are not called as it is."""


def check_optimiser(training: TrainingArguments) -> None:
    """`UserError` where optimiser or schedule cannot be made."""
    parameter = torch.nn.Linear(1, 1)
    try:
        kind, arguments = Trainer.get_optimizer_cls_and_kwargs(training, parameter)
        optimiser = kind(parameter.parameters(), **arguments)
    except REFUSALS as error:
        raise UserError(f"optim {training.optim.value} cannot be used: {_first_line(error)}") from None
    try:
        get_scheduler(
            training.lr_scheduler_type,
            optimizer=optimiser,
            num_warmup_steps=training.get_warmup_steps(STEPS),
            num_training_steps=STEPS,
            scheduler_specific_kwargs=training.lr_scheduler_kwargs,
        )
    except REFUSALS as error:
        name = training.lr_scheduler_type.value
        raise UserError(
            f"lr_scheduler_type {name} cannot be used: {_first_line(error)}; see lr_scheduler_kwargs"
        ) from None


def check_trackers(training: TrainingArguments) -> None:
    """`UserError` when `report_to` names a tracker that does not exist, or is not installed."""
    for tracker in training.report_to:
        if tracker not in INTEGRATION_TO_CALLBACK:
            raise wrong("report_to", f"unknown {tracker!r}; say none, or some of {', '.join(INTEGRATION_TO_CALLBACK)}")
        if not any(importlib.util.find_spec(name) for name in TRACKERS.get(tracker, (tracker,))):
            raise UserError(f"report_to: {tracker} is not installed; pip install {tracker}, or say report_to: none")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
