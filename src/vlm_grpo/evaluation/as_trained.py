"""Ask a trained model as its training asked it, where the user says nothing else; and say where the user does.

What a run asked with travels beside its adapter and in the merged checkpoint (`adapters/asked.py`). A config's value
counts as the user's, as the command line's does. A dtype of auto is the hardware's choice, unless the user left it open
and this machine computes in the run's own.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import torch

from vlm_grpo.adapters import asked
from vlm_grpo.adapters.asked import Asked, picture_settings
from vlm_grpo.adapters.checkpoint import Checkpoint
from vlm_grpo.adapters.lora import LoraAdapter
from vlm_grpo.adapters.precision import pick_dtype
from vlm_grpo.adapters.soft_prompt import SoftPrompt
from vlm_grpo.evaluation.settings import EvaluationArguments


@dataclass(frozen=True)
class Settled:
    """What to ask with.

    Attributes:
        settings: the user's, and the training's where the user said nothing.
        processor: prepares prompts and pictures accordingly.
        taken: the settings that are the training's, by name, each with the file that says so.
        lines: those for the user on what is taken, and on what differs from the training.
    """

    settings: EvaluationArguments
    processor: Any
    taken: Mapping[str, str]
    lines: tuple[str, ...]


def settle(
    settings: EvaluationArguments,
    *,
    given: Collection[str] | None,
    model: Checkpoint,
    adapter: LoraAdapter | SoftPrompt | None,
) -> Settled:
    """`settings` completed by how the training of `adapter` (without one, of `model`) asked.

    `given` are the names that the user set; None takes those whose values are not the defaults.
    """
    folder = adapter.path if adapter else model.path
    training = asked.read(folder)
    if training is None:
        return Settled(settings, model.load_processor(**settings.image_options), {}, ())
    names = _changed(settings) if given is None else {name for name in given if getattr(settings, name) is not None}
    trained: dict[str, Any] = {"prompt": training.prompt, "answers": training.answers, **training.images}
    if training.environment is not None:
        trained["environment"] = training.environment
    is_same = "environment" not in names or settings.environment == training.environment
    if training.max_tool_calling_iterations is not None and is_same:
        trained["max_tool_calling_iterations"] = training.max_tool_calling_iterations
    if _computes_in(training.dtype):
        trained["dtype"] = training.dtype
    taken = {name: value for name, value in trained.items() if name not in names and _of(settings, name) != value}
    settled = replace(settings, **taken)
    here = _asked(settled)
    then = {
        "prompt": training.prompt,
        "answers": training.answers,
        "dtype": training.dtype,
        "environment": training.environment,
    }
    otherwise = {name: (here[name], then[name]) for name in then if here[name] != then[name]}
    processor = model.load_processor(**settled.image_options)
    pictures = _differences(processor, training)
    if pictures:
        processor = model.load_processor(image_settings=training.image_processor, **_given_options(settings, names))
        overridden = _differences(processor, training)
        otherwise |= overridden
        taken |= {name: then for name, (_, then) in pictures.items() if name not in overridden}
    if processor.chat_template != training.chat_template:
        processor.chat_template = training.chat_template
        taken["chat_template"] = "of the training"
    place = str(folder / asked.FILE)
    lines = (
        *([f"asked as in training ({place}): {_list(taken)}"] if taken else []),
        *([f"asked otherwise than in training ({place}): {_instead(otherwise)}"] if otherwise else []),
    )
    return Settled(settled, processor, dict.fromkeys(taken, place), lines)


def _changed(settings: EvaluationArguments) -> set[str]:
    return {field.name for field in fields(settings) if getattr(settings, field.name) != field.default}


def _computes_in(dtype: str) -> bool:
    """Whether this machine computes in `dtype` by itself, so that it can be taken without being asked for."""
    if not torch.cuda.is_available():
        return dtype == "float32"
    return dtype != "bfloat16" or torch.cuda.is_bf16_supported(including_emulation=False)


def _of(settings: EvaluationArguments, name: str) -> Any:
    """The setting `name`, a dtype of auto as what it comes to."""
    return _asked(settings)["dtype"] if name == "dtype" else getattr(settings, name)


def _asked(settings: EvaluationArguments) -> dict[str, Any]:
    dtype = str(pick_dtype(settings.dtype)).removeprefix("torch.")
    return {
        "prompt": settings.prompt,
        "answers": settings.answers,
        "dtype": dtype,
        "environment": settings.played,
    }


def _given_options(settings: EvaluationArguments, names: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in settings.image_options.items() if name in names}


def _differences(processor: Any, training: Asked) -> dict[str, tuple[Any, Any]]:
    """What the `processor` does to pictures otherwise than the training's: (now, then) by the setting's name."""
    now, then = picture_settings(processor), training.image_processor
    return {name: (now[name], then[name]) for name in then if name in now and now[name] != then[name]}


def _list(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())


def _instead(pairs: Mapping[str, tuple[Any, Any]]) -> str:
    return ", ".join(f"{name} {now} instead of {then}" for name, (now, then) in pairs.items())
