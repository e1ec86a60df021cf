"""Patch embeddings by a product give what transformers' convolution gives."""

import copy

import torch

from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.adapters.patches import PatchProduct


def test_the_product_is_the_convolution(tiny_qwen):
    model = open_checkpoint(str(tiny_qwen)).load_model(dtype=torch.float32)
    embedding = model.model.visual.patch_embed
    assert type(embedding.proj) is PatchProduct
    patches = torch.randn(20, embedding.proj.weight[0].numel(), generator=torch.Generator().manual_seed(0))
    by_product = embedding(patches)
    stock = copy.deepcopy(embedding)
    stock.proj.__class__ = torch.nn.Conv3d
    torch.testing.assert_close(by_product, stock(patches), atol=1e-5, rtol=1e-5)
    assert stock.state_dict().keys() == embedding.state_dict().keys()


def test_a_tower_of_tiles_is_left_alone(tiny_smolvlm):
    model = open_checkpoint(str(tiny_smolvlm)).load_model(dtype=torch.float32)
    assert not any(isinstance(module, PatchProduct) for module in model.modules())
