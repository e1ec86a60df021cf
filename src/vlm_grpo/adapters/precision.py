"""Number format by hardware: bfloat16 where the GPU computes in it, float16 on older GPUs (V100), float32 on a CPU."""

from typing import Literal, get_args

import torch

from vlm_grpo.errors import UserError

DtypeName = Literal["auto", "bfloat16", "float16", "float32"]


def pick_dtype(name: str = "auto") -> torch.dtype:
    """The dtype called `name`, or the best one for this machine when `name` is "auto".

    A dtype that the hardware only emulates (bfloat16 on a V100) is refused rather than run slowly.
    """
    if name not in get_args(DtypeName):
        raise UserError(f"unknown dtype {name!r}; known: {', '.join(get_args(DtypeName))}")
    if name == "auto":
        if not torch.cuda.is_available():
            return torch.float32
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if name == "bfloat16" and torch.cuda.is_available() and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise UserError(f"{torch.cuda.get_device_name()} has no native bfloat16; use dtype auto or float16")
    dtype: torch.dtype = getattr(torch, name)
    return dtype


def autocast_dtype(device: torch.device) -> torch.dtype | None:
    """The number format that autocast computes products on `device` in; None: it is off."""
    return torch.get_autocast_dtype(device.type) if torch.is_autocast_enabled(device.type) else None
