"""Linear layers that read the same input, with LoRA apart, in few operations.

`Stacked` computes q, k and v (or gate and up) side by side in one tensor, each base weight read where it lies; `Added`
computes a layer (o, down) onto the residual stream. LoRA's A matrices are stacked, so that one product serves all
layers of a group, and its B matrices lie on the diagonal of one, zero elsewhere. LoRA's scaling is a factor of the sum,
so it rounds no weight. In float32 sums are part of the products; in a shorter format they are kept apart, and round as
the model's do.

The copies of A and B (91 MB for Qwen2.5-VL-3B at rank 16 in bfloat16) keep their addresses, so that a graph captured
before `refresh` stays valid. Base weights are never copied.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from peft.tuners.lora.layer import Linear as LoraLinear
from torch import nn
from torch.nn.functional import linear


class Stacked:
    """y = [x W₁ᵀ + b₁ + s x A₁ᵀ B₁ᵀ | x W₂ᵀ + b₂ + …] of `layers`, plain ones and LoRA's; all have a bias, or none.

    `rounded` is the number format of LoRA's copies; None: its own.
    """

    def __init__(self, layers: Sequence[nn.Module], rounded: torch.dtype | None = None) -> None:
        self.bases = [base_of(layer) for layer in layers]
        self.widths = [base.out_features for base in self.bases]
        self.biased = isinstance(self.bases[0].bias, torch.Tensor)
        self.lora = stack_lora(layers, rounded)

    def __call__(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """y (B, sum of widths), overwritten, of x (B, inputs)."""
        if self.biased:
            # Into a part of y, CUDA would add each bias by a kernel of its own.
            torch.cat([linear(x, base.weight, base.bias) for base in self.bases], -1, out=y)
        else:
            for part, base in zip(y.split(self.widths, -1), self.bases, strict=True):
                torch.mm(x, base.weight.t(), out=part)
        if self.lora is not None:
            self.lora.add_to(y, x)
        return y


class Added:
    """h += x Wᵀ + s x Aᵀ Bᵀ in place; the layer has no bias. `rounded` as in `Stacked`."""

    def __init__(self, layer: nn.Module, rounded: torch.dtype | None = None) -> None:
        self.base = base_of(layer)
        self.lora = stack_lora([layer], rounded)

    def __call__(self, h: torch.Tensor, x: torch.Tensor) -> None:
        """Add to h (B, outputs) the layer's output of x (B, inputs)."""
        at_once = h.dtype is torch.float32
        y = h.addmm_(x, self.base.weight.t()) if at_once else torch.mm(x, self.base.weight.t())
        if self.lora is not None:
            self.lora.add_to(y, x)
        if not at_once:
            h.add_(y)


class StackedLora:
    """LoRA's part of layers side by side: copies `down` (inputs, ranks) and `up` (ranks, outputs of all layers)."""

    def __init__(self, layers: Sequence[nn.Module], rounded: torch.dtype | None) -> None:
        self.adapted: list[tuple[LoraLinear, int]] = []
        start = 0
        for layer in layers:
            if isinstance(layer, LoraLinear):
                self.adapted.append((layer, start))
            start += base_of(layer).out_features
        (self.scaling,) = {layer.scaling[layer.active_adapters[0]] for layer, _ in self.adapted}
        self._scales_exactly = math.frexp(self.scaling)[0] == 0.5  # by a power of two, which rounds nothing
        matrices = [_matrices(layer)[0] for layer, _ in self.adapted]
        ranks = sum(len(a) for a in matrices)
        self.down = matrices[0].new_zeros(matrices[0].shape[1], ranks, dtype=rounded)
        self.up = matrices[0].new_zeros(ranks, start, dtype=rounded)

    @torch.no_grad()
    def refresh(self) -> None:
        """Copy the layers' weights to where the copies lie."""
        rank = 0
        for layer, start in self.adapted:
            a, b = _matrices(layer)
            rows = slice(rank, rank := rank + len(a))
            self.down[:, rows].copy_(a.t())
            self.up[rows, start : start + len(b)].copy_(b.t())

    def add_to(self, y: torch.Tensor, x: torch.Tensor) -> None:
        """y (B, outputs of all layers) += s x Aᵀ Bᵀ in place, the products in the copies' number format."""
        inner = torch.mm(x.to(self.down.dtype), self.down)
        if y.dtype is self.up.dtype is torch.float32:
            y.addmm_(inner, self.up, alpha=self.scaling)
        elif y.dtype is self.up.dtype and not self._scales_exactly:
            y.add_(torch.mm(inner, self.up).mul_(self.scaling))
        else:
            y.add_(torch.mm(inner, self.up), alpha=self.scaling)


def stack_lora(layers: Sequence[nn.Module], rounded: torch.dtype | None) -> StackedLora | None:
    """LoRA's part of `layers`; None where none has any."""
    return StackedLora(layers, rounded) if any(isinstance(layer, LoraLinear) for layer in layers) else None


def base_of(layer: Any) -> nn.Linear:
    """The plain layer below LoRA, or `layer` itself."""
    base: nn.Linear = layer.get_base_layer() if isinstance(layer, LoraLinear) else layer
    return base


def _matrices(layer: LoraLinear) -> tuple[torch.Tensor, torch.Tensor]:
    """A (rank, inputs) and B (outputs, rank)."""
    (adapter,) = layer.active_adapters
    return layer.lora_A[adapter].weight, layer.lora_B[adapter].weight
