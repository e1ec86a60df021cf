"""Patch embeddings as the matrix products that they are.

Qwen's vision towers cut a picture into patches before they embed them by a convolution over exactly one patch each:
its kernel is as large as its input. Torch's convolutions take 3 to 4 times as long for it on a CPU as one product of
the flattened patches and weights. The numbers are the convolution's up to the order of summation.
"""

import torch
from torch.nn.functional import linear


class PatchProduct(torch.nn.Conv3d):
    """A convolution over (patches, channels, depth, height, width) of its kernel's size, as one product."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """(patches, features, 1, 1, 1)."""
        return linear(input.flatten(1), self.weight.flatten(1), self.bias)[..., None, None, None]


def embed_by_product(model: torch.nn.Module) -> None:
    """Let the patch embeddings of `model` be products; weights, names and everything else stay."""
    for name, module in model.named_modules():
        if name.endswith("patch_embed.proj") and type(module) is torch.nn.Conv3d:
            assert module.kernel_size == module.stride, "a patch embedding whose patches overlap"
            module.__class__ = PatchProduct
