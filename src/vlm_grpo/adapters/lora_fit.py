"""Put a trained adapter on its base so that every trained tensor lands in the model, or say which does not.

PEFT passes over tensors that have no place in the model, and leaves places that got none as they start, without
effect: half an adapter, or one that calls the language tower what another release of transformers called it, loads
without a word and answers as the bare base. Names that are known to have changed (`Adapter.former_names`) are mapped.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft import (
    MODEL_TYPE_TO_PEFT_MODEL_MAPPING,
    PeftConfig,
    PeftModel,
    get_peft_model_state_dict,
    set_peft_model_state_dict,
)
from peft.tuners.tuners_utils import check_target_module_exists
from safetensors.torch import load_file
from torch import nn
from transformers import PreTrainedModel

from vlm_grpo.adapters.files import reading
from vlm_grpo.errors import UserError

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
ALL_LINEAR = "all-linear"
Renames = tuple[tuple[str, str], ...]
"""(former, present) prefixes of modules."""


def attach(model: PreTrainedModel, folder: Path, *, former_names: Renames, where: str) -> PeftModel:
    """`model` with the adapter in `folder` on it, not trainable.

    `UserError`, opened by `where`, naming how many tensors do not fit and the first of them.
    """
    modules = [name for name, _ in model.named_modules()]
    renames = tuple(pair for pair in former_names if not any(name.startswith(pair[0]) for name in modules))
    weights, renamed = _present_names(load_file(folder / WEIGHTS), renames, where=where)
    with reading(f"{where}: {CONFIG} does not fit the base"):
        config = PeftConfig.from_pretrained(str(folder))
        config.inference_mode = True
        if renamed and config.target_modules != ALL_LINEAR:
            config.target_modules = _targets(config, model, renames)
        build = MODEL_TYPE_TO_PEFT_MODEL_MAPPING.get(config.task_type, PeftModel)
        adapted: PeftModel = build(model, config)
    places = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    _check(weights, places, also=adapted.state_dict(), where=where)
    set_peft_model_state_dict(adapted, weights)
    for former, present in renamed.items():
        print(f"{where}: its tensors of {former}* are put into {present}*", file=sys.stderr, flush=True)
    return adapted.eval()


def _present_names(
    weights: Mapping[str, torch.Tensor], renames: Renames, *, where: str
) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """`weights` by the names that this release of transformers has for their modules, and the renames that it took.

    `UserError` where two of them have one name there.
    """
    present: dict[str, torch.Tensor] = {}
    used: dict[str, str] = {}
    for name, tensor in weights.items():
        inside = name.removeprefix(PREFIX).replace(".default.weight", ".weight")
        for former, now in renames:
            if inside.startswith(former):
                inside = now + inside.removeprefix(former)
                used[former] = now
                break
        place = PREFIX + inside if ".lora_" in inside else name
        if place in present:
            raise UserError(f"{where}: {WEIGHTS} holds {place} under two names, of which {name} is one; save it anew")
        present[place] = tensor
    return present, used


def _targets(config: Any, model: PreTrainedModel, renames: Renames) -> list[str]:
    """The layers of `model` that `config` adapts under their present or their former name."""
    layers = [name for name, module in model.named_modules() if isinstance(module, nn.Linear | nn.Embedding)]
    return [
        name for name in layers if any(check_target_module_exists(config, known) for known in _names(name, renames))
    ]


def _names(module: str, renames: Renames) -> list[str]:
    return [module, *(former + module.removeprefix(now) for former, now in renames if module.startswith(now))]


def _check(
    weights: Mapping[str, torch.Tensor],
    places: Mapping[str, torch.Tensor],
    *,
    also: Mapping[str, torch.Tensor],
    where: str,
) -> None:
    """`UserError` unless each of `weights` has its place among `places` (or in `also`), and each place its tensor."""
    whole = sorted(name for name in weights if not weights[name].is_floating_point())
    if whole:
        raise UserError(
            f"{where}: {len(whole)} of its {len(weights)} tensors hold whole numbers ({weights[whole[0]].dtype}), the "
            f"first {whole[0]}; give the adapter as it was before it was quantised"
        )
    homeless = sorted(name for name in weights if name not in places and name not in also)
    if homeless:
        raise UserError(
            f"{where}: {len(homeless)} of its {len(weights)} tensors have no place in the base, the first "
            f"{homeless[0]}; it was trained on another model, or by software that calls its layers otherwise"
        )
    empty = sorted(name for name in places if name not in weights)
    if empty:
        raise UserError(
            f"{where}: {WEIGHTS} lacks {len(empty)} of the {len(places)} tensors that {CONFIG} asks for, the first "
            f"{empty[0]}; copy the adapter again, or train it again"
        )
    goals = {**also, **places}
    odd = sorted(name for name in weights if goals[name].shape != weights[name].shape)
    if odd:
        there, wanted = tuple(weights[odd[0]].shape), tuple(goals[odd[0]].shape)
        raise UserError(
            f"{where}: {len(odd)} of its {len(weights)} tensors have another shape than {CONFIG} asks for, the first "
            f"{odd[0]}: {there} instead of {wanted}; give the {CONFIG} and the base that it was trained with"
        )
