"""What is allocated and what is free on a device, as far as torch knows."""

import torch


def allocated_bytes(device: torch.device) -> int:
    """Bytes of tensors on `device`; 0 where that is not known."""
    return torch.cuda.memory_allocated(device) if device.type == "cuda" else 0


def free_bytes(device: torch.device) -> int | None:
    """Bytes that can still be allocated on `device`, torch's own reserve included; None where that is not known."""
    if device.type != "cuda":
        return None
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + unused
