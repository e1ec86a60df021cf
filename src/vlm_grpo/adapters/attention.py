"""Which attention implementations there are, and whether this machine has one."""

import importlib.util

import torch

from vlm_grpo.errors import UserError
from vlm_grpo.ranges import check_name

PACKAGES = {
    "sdpa": None,
    "eager": None,
    "flex_attention": None,
    "flash_attention_2": "flash_attn",
    "flash_attention_3": "flash_attn_interface",
}
"""By the package that each one needs. Kernels from the hub are code from the hub, which is never run."""


def check_attention_name(name: str) -> None:
    """`UserError` for an unknown attention implementation."""
    check_name("attention", name, PACKAGES)


def check_attention(name: str) -> None:
    """`UserError` where this machine lacks the package or the GPU that the attention implementation needs."""
    package = PACKAGES[name]
    if package is None:
        return
    if not torch.cuda.is_available():
        raise UserError(f"attention {name} needs a GPU, and there is none here; say attention: sdpa")
    if importlib.util.find_spec(package) is None:
        raise UserError(f"attention {name} needs the package {package}, which is not installed; say attention: sdpa")
