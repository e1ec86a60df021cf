"""The reference model that follows the policy: `sync_ref_model`, every `ref_model_sync_steps` optimiser steps.

TRL moves a separate reference model, reference = (1 - alpha) * reference + alpha * policy with alpha
`ref_model_mixup_alpha`, and refuses LoRA, where the reference is the base with the adapter off. Here the reference is
then a second, frozen adapter of the same shape, which TRL already takes where one is called `ref`; it starts without
effect, as the policy does, and is moved by TRL's own callback. Checkpoints hold it (TRL forgets where its reference
stood); what is saved as an adapter is the policy alone.

With alpha 1 the reference is the policy of that step. Below 1 LoRA's two factors are mixed each by itself, so the
product differs from a mix of the products, which has twice the rank, by alpha (1 - alpha) (B - B')(A - A'): of second
order in the steps between two syncs, and measured in LOG.md.

Left out: parameters sharded over processes (ZeRO-3, FSDP), which no process could write down alone.
"""

from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import is_peft_model
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import TrainerControl, TrainerState, TrainingArguments
from trl import GRPOTrainer
from trl.trainer.callbacks import SyncRefModelCallback
from typing_extensions import override

from vlm_grpo.errors import UserError
from vlm_grpo.methods.fast.plan import sharding

POLICY, REFERENCE = "default", "ref"
"""TRL's names of the two adapters."""
FILE = "grpo_reference.safetensors"


class KeepsReference(GRPOTrainer):
    """Mixin in front of a trainer of TRL's: with `sync_ref_model` the reference follows, with LoRA too."""

    def __init__(self, *, args: Any, **trl: Any) -> None:
        follows, args.sync_ref_model = args.sync_ref_model, args.sync_ref_model and trl.get("peft_config") is None
        super().__init__(args=args, **trl)
        args.sync_ref_model = follows
        if not follows:
            return
        why = sharding(self.accelerator)
        if why is not None:
            raise UserError(f"sync_ref_model: {why}, so the reference could not be saved; use ZeRO-2, or remove it")
        if is_peft_model(self.model):
            add_reference(self.model)
            self.add_callback(SyncReferenceAdapter(self.model))

    def save_reference(self, folder: Path) -> None:
        """Write the reference that follows to `folder`; nothing where it does not."""
        if self.args.sync_ref_model and self.is_world_process_zero():
            save_file({name: p.detach().contiguous() for name, p in self._reference().items()}, folder / FILE)

    def load_reference(self, folder: Path) -> None:
        """Take back what `save_reference` wrote."""
        if not self.args.sync_ref_model:
            return
        saved = load_file(folder / FILE)
        for name, parameter in self._reference().items():
            parameter.data.copy_(saved[name])

    def _reference(self) -> dict[str, torch.nn.Parameter]:
        model = self.accelerator.unwrap_model(self.model if self.ref_model is None else self.ref_model)
        return adapter_parameters(model, REFERENCE) if self.ref_model is None else dict(model.named_parameters())


class SyncReferenceAdapter(SyncRefModelCallback):
    """TRL's callback, from one adapter of `model` to the other."""

    def __init__(self, model: PeftModel) -> None:
        policy, reference = (list(adapter_parameters(model, name).values()) for name in (POLICY, REFERENCE))
        self._policy, self._reference = torch.nn.ParameterList(policy), torch.nn.ParameterList(reference)

    @override
    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if state.global_step % args.ref_model_sync_steps == 0:
            self.sync_target_model(self._policy, self._reference, args.ref_model_mixup_alpha)


def add_reference(model: PeftModel) -> None:
    """Give `model` the frozen adapter `ref`, equal to its policy's but without dropout; what it saves stays the same.

    Global random numbers are left as they are.
    """
    config = deepcopy(model.peft_config[POLICY])
    config.lora_dropout = 0.0
    device = next(model.parameters()).device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        model.add_adapter(REFERENCE, config)
    policy = adapter_parameters(model, POLICY)
    for name, parameter in adapter_parameters(model, REFERENCE).items():
        parameter.data = policy[name].detach().clone()
        parameter.requires_grad_(False)
    model.save_pretrained = partial(model.save_pretrained, selected_adapters=[POLICY])


def adapter_parameters(model: torch.nn.Module, adapter: str) -> dict[str, torch.nn.Parameter]:
    """The parameters of one `adapter` of `model`, in the model's order, by their names without the adapter's."""
    part = f".{adapter}."
    return {name.replace(part, "."): p for name, p in model.named_parameters() if "lora_" in name and part in name}
