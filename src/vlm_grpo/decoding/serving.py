"""Which models the engine decodes with, and in one line why not with the others."""

from transformers import PreTrainedModel

from vlm_grpo.adapters.registry import FAMILIES

MODEL_TYPES = tuple(kind for family in FAMILIES if family.shares_prefix for kind in family.model_types)
"""`model_type`s whose positions and caches are known here."""
ATTENTION = ("sdpa", "eager")
"""Attention implementations that take a mask over fixed places."""


def unknown_family(model: PreTrainedModel) -> str | None:
    """Why `model` is of no known family; None: it is of one."""
    kind = model.config.model_type
    return None if kind in MODEL_TYPES else f"model_type {kind} is not known here (known: {', '.join(MODEL_TYPES)})"


def partial_attention(model: PreTrainedModel) -> str | None:
    """Why `model` does not look at everything before a token; None: it does."""
    text = model.config.get_text_config()
    if any(kind != "full_attention" for kind in getattr(text, "layer_types", None) or ()):
        return "the model does not attend to everything before a token"
    return None


def not_served(model: PreTrainedModel) -> str | None:
    """Why the engine leaves `model` (without PEFT's wrapper) to transformers' generate; None: it serves it."""
    attention = model.get_decoder().config._attn_implementation
    refused = None if attention in ATTENTION else f"attention {attention} takes no mask over fixed places"
    return unknown_family(model) or partial_attention(model) or refused
