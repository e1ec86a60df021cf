"""The model of a finished evaluation, loaded again as it was, and its probabilities of the next token."""

from dataclasses import fields
from typing import Any

import torch
from transformers import PreTrainedModel

from vlm_grpo.adapters.precision import pick_dtype
from vlm_grpo.errors import UserError
from vlm_grpo.evaluation import run
from vlm_grpo.evaluation.arms import Arm
from vlm_grpo.evaluation.inputs import EvaluationInputs, open_inputs
from vlm_grpo.evaluation.settings import EvaluationArguments

AS_ASKED = ("prompt", "answers", "dtype", "environment")
"""Settings that stand as the evaluation had them, however the model's training asked."""


def settings_of(arm: Arm) -> EvaluationArguments:
    """The settings that the arm was evaluated with; `UserError` where the arm was sampled or had several turns."""
    known = {field.name for field in fields(EvaluationArguments)}
    settings = EvaluationArguments(**{key: value for key, value in arm.manifest["config"].items() if key in known})
    if settings.temperature > 0:
        raise UserError(
            f"{arm.folder} was sampled at temperature {settings.temperature}, so its answers change by themselves; "
            "evaluate greedily and probe that"
        )
    if settings.played is not None:
        raise UserError(
            f"{arm.folder} was answered in the turns of environment {settings.played}, and a probe asks once; evaluate "
            "with environment: none and probe that"
        )
    return settings


def open_again(arm: Arm, settings: EvaluationArguments) -> tuple[EvaluationInputs, PreTrainedModel]:
    """Inputs and model of `arm`, whose `settings` these are; `UserError` where the weights are others now."""
    inputs = open_inputs(settings, given=AS_ASKED, control=arm.manifest.get("control"))
    there = arm.manifest["inputs"]
    here = {"model": inputs.model.fingerprint, "adapter": inputs.adapter.fingerprint if inputs.adapter else None}
    for name, fingerprint in here.items():
        if there[name] != fingerprint:
            raise UserError(f"{arm.folder} was evaluated with another {name} than there is now; evaluate again")
    return inputs, run.load_model(settings, inputs, pick_dtype(settings.dtype))


@torch.inference_mode()
def next_token_log_probabilities(model: PreTrainedModel, encoded: Any) -> torch.Tensor:
    """Log-probabilities (B, vocabulary) in float32 of the token behind each row of `encoded`, left-padded (B, L).

    `UserError` where the logits are not finite.
    """
    logits = model(**encoded.to(model.device), use_cache=False, logits_to_keep=1).logits[:, -1].float()
    if not logits.isfinite().all():
        raise UserError(
            f"the model's logits are not finite (NaN or infinity) in {str(model.dtype).removeprefix('torch.')}; ask in "
            "float32 or bfloat16, or take weights from before the training died"
        )
    return logits.log_softmax(dim=-1)
