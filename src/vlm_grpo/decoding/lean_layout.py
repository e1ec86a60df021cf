"""Which models the lean step can stand for: the layouts that it writes out, told apart layer by layer."""

from collections.abc import Iterator, Sequence
from typing import Any

from peft.tuners.lora.layer import Linear as LoraLinear
from torch import nn
from transformers import PreTrainedModel
from transformers.models.llama.modeling_llama import LlamaDecoderLayer
from transformers.models.qwen2.modeling_qwen2 import Qwen2DecoderLayer
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VLDecoderLayer
from transformers.models.qwen2_vl.modeling_qwen2_vl import Qwen2VLDecoderLayer

from vlm_grpo.adapters.precision import autocast_dtype
from vlm_grpo.decoding.lean_projection import base_of

KNOWN_LAYERS = (LlamaDecoderLayer, Qwen2DecoderLayer, Qwen2VLDecoderLayer, Qwen2_5_VLDecoderLayer)
STACKED = (("self_attn", ("q_proj", "k_proj", "v_proj")), ("mlp", ("gate_proj", "up_proj")))
"""Linear layers that read the same input."""
ADDED = (("self_attn", ("o_proj",)), ("mlp", ("down_proj",)))
"""Linear layers whose output goes onto the residual stream."""
CALLED = ("embed_tokens", "rotary_emb")
"""Modules that the lean step calls as they are, hooks included."""
MOVING_ROPE = ("dynamic", "longrope")
"""Rotations that depend on the length reached, which the host has to read."""


def why_not_lean(model: PreTrainedModel) -> str | None:
    """In one line why `model` (without PEFT's wrapper), as it stands now, is left to its own step; None: it is not.

    Dropout, merged and disabled adapters come and go between rollouts: ask before each.
    """
    tower: Any = model.get_decoder()
    return next(_of_tower(tower), None)


def _of_tower(tower: Any) -> Iterator[str]:
    config = tower.config
    if not all(type(layer) in KNOWN_LAYERS for layer in getattr(tower, "layers", [None])):
        yield f"the layers of {config.model_type} are not known"
        return
    if any(kind != "full_attention" for kind in getattr(config, "layer_types", None) or ()):
        yield "some layers do not attend to everything before a token"
    if config._attn_implementation != "sdpa":
        yield f"attention is {config._attn_implementation}, not sdpa"
    if tower.rotary_emb.rope_type in MOVING_ROPE:
        yield f"rotary positions are {tower.rotary_emb.rope_type}"
    if type(tower.embed_tokens) is not nn.Embedding:
        yield f"the embedding is a {type(tower.embed_tokens).__name__}"
    modules = list(tower.named_modules())
    if tower.training and (config.attention_dropout or any(_drops(module) for _, module in modules)):
        yield "dropout is on"
    for name, module in modules:
        if name not in CALLED and (module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module)):
            yield f"{name or 'the tower'} has hooks or a forward of its own"
    weights = [
        weight
        for name, module in modules
        if "lora_" not in name
        for weight in module._parameters.values()
        if weight is not None
    ]
    if len({(weight.dtype, weight.device) for weight in weights}) > 1:
        yield "the weights have several number formats or lie on several devices"
    rounded = autocast_dtype(weights[0].device)
    if rounded not in (None, weights[0].dtype):
        yield f"autocast is to {str(rounded).removeprefix('torch.')}, which the weights are not in"
    for index, layer in enumerate(tower.layers):
        for part, names in STACKED + ADDED:
            group = [getattr(getattr(layer, part), name) for name in names]
            yield from (f"layer {index}: {reason}" for reason in _of_group(names, group))
            if (part, names) in ADDED and base_of(group[0]).bias is not None:
                yield f"layer {index}: {names[0]} has a bias"


def _of_group(names: Sequence[str], group: Sequence[Any]) -> Iterator[str]:
    adapters = []
    for name, module in zip(names, group, strict=True):
        if type(module) is LoraLinear:
            yield from (f"{name} {reason}" for reason in _of_lora(module))
            adapter = module.active_adapters[0]
            adapters.append((module.scaling[adapter], module.lora_A[adapter].weight.dtype))
        elif type(module) is not nn.Linear:
            yield f"{name} is a {type(module).__module__}.{type(module).__qualname__}"
            return
    if len({base_of(module).bias is None for module in group}) > 1:
        yield f"only some of {', '.join(names)} have a bias"
    if len({scaling for scaling, _ in adapters}) > 1:
        yield f"LoRA scales {', '.join(names)} differently"
    if len({dtype for _, dtype in adapters}) > 1:
        yield f"LoRA's weights of {', '.join(names)} have several number formats"


def _of_lora(module: Any) -> Iterator[str]:
    if type(module.get_base_layer()) is not nn.Linear:
        yield f"is a {type(module.get_base_layer()).__qualname__} below LoRA"
    if module.merged or module.disable_adapters:
        yield f"has its LoRA {'merged' if module.merged else 'switched off'}"
    if list(module.lora_A) != list(module.active_adapters) or len(module.lora_A) != 1:
        yield "has several adapters"
    if module.lora_variant or module.fan_in_fan_out or any(module.lora_bias.values()):
        yield "has a LoRA with more than two matrices"


def _drops(module: nn.Module) -> bool:
    return isinstance(module, nn.Dropout) and module.p > 0
