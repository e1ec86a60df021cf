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
from collections.abc import Callable, Sequence
from typing import Any

import torch
from peft.tuners.lora.layer import Linear as LoraLinear
from torch import nn
from torch.nn.functional import linear

from vlm_grpo.decoding.branch import Branch


class Stacked:
    """y = [x W₁ᵀ + b₁ + s x A₁ᵀ B₁ᵀ | x W₂ᵀ + b₂ + …] of `layers`, plain ones and LoRA's; all have a bias, or none.

    `rounded` is the number format of LoRA's copies; None: its own. LoRA's part is computed on the first of `branches`,
    the layers' own on the others.
    """

    def __init__(
        self, layers: Sequence[nn.Module], branches: Sequence[Branch], rounded: torch.dtype | None = None
    ) -> None:
        self._beside, *others = branches
        self._branches = others[: len(layers) - 1]
        self.bases = [base_of(layer) for layer in layers]
        self.widths = [base.out_features for base in self.bases]
        self.biased = isinstance(self.bases[0].bias, torch.Tensor)
        self.lora = stack_lora(layers, rounded)

    def __call__(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """y (B, sum of widths), overwritten, of x (B, inputs)."""
        lora = None if self.lora is None else self.lora.begun(x, self._beside)
        first, *others = zip(self.bases, y.split(self.widths, -1), strict=True)
        made = []
        for (base, part), branch in zip(others, self._branches, strict=True):
            with branch:
                made.append(self._product(x, base, part))
        parts = [self._product(x, *first), *made]
        for branch in self._branches:
            branch.join()
        if self.biased:
            torch.cat(parts, -1, out=y)
        if lora is not None:
            lora(y)
        return y

    def _product(self, x: torch.Tensor, base: nn.Linear, part: torch.Tensor) -> torch.Tensor:
        """In `part` of y where there is no bias: into a part CUDA would add each bias by a kernel of its own."""
        return linear(x, base.weight, base.bias) if self.biased else torch.mm(x, base.weight.t(), out=part)


class Added:
    """h += x Wᵀ + s x Aᵀ Bᵀ in place; the layer has no bias. LoRA's part is computed on the branch `beside`."""

    def __init__(self, layer: nn.Module, beside: Branch, rounded: torch.dtype | None = None) -> None:
        self._beside = beside
        self.base = base_of(layer)
        self.lora = stack_lora([layer], rounded)

    def __call__(self, h: torch.Tensor, x: torch.Tensor) -> None:
        """Add to h (B, outputs) the layer's output of x (B, inputs)."""
        at_once = h.dtype is torch.float32
        lora = None if self.lora is None else self.lora.begun(x, self._beside)
        y = h.addmm_(x, self.base.weight.t()) if at_once else torch.mm(x, self.base.weight.t())
        if lora is not None:
            lora(y)
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

    def copies(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Places in the copies, and the layers' weights that belong there."""
        pairs, rank = [], 0
        for layer, start in self.adapted:
            a, b = (matrix.detach().t() for matrix in _matrices(layer))
            columns = slice(rank, rank := rank + a.shape[1])
            pairs += [(self.down[:, columns], a), (self.up[columns, start : start + b.shape[1]], b)]
        return pairs

    def begun(self, x: torch.Tensor, beside: Branch) -> Callable[[torch.Tensor], None]:
        """s x Aᵀ Bᵀ, begun on the branch `beside`: what is given back adds it to y (B, outputs of all layers) in place.

        Products are in the copies' number format; in float32 the last one is part of the sum.
        """
        summed = x.dtype is self.up.dtype is torch.float32
        alpha = self.scaling
        with beside:
            product = torch.mm(x.to(self.down.dtype), self.down)
            if not summed:
                product = torch.mm(product, self.up)
                if x.dtype is self.up.dtype and not self._scales_exactly:
                    product, alpha = product.mul_(self.scaling), 1.0

        def add_to(y: torch.Tensor) -> None:
            beside.join()
            if summed:
                y.addmm_(product, self.up, alpha=alpha)
            else:
                y.add_(product, alpha=alpha)

        return add_to


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
