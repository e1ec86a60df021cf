"""Windows attended to together are the windows attended to one by one, in fewer operations."""

import pytest
import torch
from PIL import Image
from torch.utils._python_dispatch import TorchDispatchMode

from vlm_grpo.adapters import checkpoint as loading
from vlm_grpo.adapters import windows
from vlm_grpo.adapters.checkpoint import open_checkpoint

SIZES = {"alike": [(112, 112)] * 12, "odd": [(112, 112), (300, 196), (56, 84)], "one": [(448, 336)]}


class Calls(TorchDispatchMode):
    """Counts the operations that are dispatched within, views apart."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += not func.is_view
        return func(*args, **(kwargs or {}))


def encode(model, pictures):
    with torch.no_grad(), Calls() as calls:
        encoded = model.model.visual(pictures["pixel_values"], grid_thw=pictures["image_grid_thw"])
    return encoded.pooler_output, calls.count


@pytest.fixture(scope="module")
def towers(tiny_qwen):
    checkpoint = open_checkpoint(str(tiny_qwen))
    together = checkpoint.load_model(dtype=torch.float32).eval()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "attend_together", lambda model: None)
        stock = checkpoint.load_model(dtype=torch.float32).eval()
    return checkpoint.load_processor(max_pixels=1 << 20), together, stock


@pytest.mark.parametrize("sizes", SIZES)
def test_the_tower_says_the_same(towers, sizes):
    processor, together, stock = towers
    drawn = [Image.effect_noise(size, 60).convert("RGB") for size in SIZES[sizes]]
    pictures = processor.image_processor(images=drawn, return_tensors="pt")
    (here, calls), (there, stock_calls) = encode(together, pictures), encode(stock, pictures)
    torch.testing.assert_close(here, there, atol=1e-6, rtol=1e-5)
    assert sizes != "alike" or calls < stock_calls


def test_bounds_are_read_once_a_pass(towers, monkeypatch):
    """Not once a layer: on a GPU each reading waits for all that has been launched."""
    processor, together, _ = towers
    drawn = [Image.effect_noise(size, 60).convert("RGB") for size in [(112, 112), (300, 196)]]
    pictures = processor.image_processor(images=drawn, return_tensors="pt")
    patches = len(pictures["pixel_values"])
    deep = torch.nn.ModuleList([*together.model.visual.blocks] * 3)
    monkeypatch.setitem(together.model.visual._modules, "blocks", deep)
    read, tolist = [], torch.Tensor.tolist
    monkeypatch.setattr(torch.Tensor, "tolist", lambda tensor: (read.append(tolist(tensor)), read[-1])[1])
    for passes in (1, 2):
        encode(together, pictures)
        flat = [lengths for lengths in read if all(isinstance(length, int) for length in lengths)]
        assert sum(len(lengths) > 1 and sum(lengths) == patches for lengths in flat) == 2 * passes, "windows, pictures"


def test_bounds_are_told_apart_by_identity():
    bounds = [torch.tensor([0, 4, end]) for end in (6, 6, 9)]
    assert [windows._lengths(tensor) for tensor in bounds] == [(4, 2), (4, 2), (4, 5)]
    held = len(windows._LENGTHS)
    bounds.clear()
    assert len(windows._LENGTHS) == held - 3
    for end in range(6, 106):
        assert windows._lengths(torch.tensor([0, 4, end])) == (4, end - 4), "the place of a dead tensor is used again"


def test_gradients_arrive(towers):
    processor, together, stock = towers
    pictures = processor.image_processor(
        images=[Image.effect_noise((196, 140), 60).convert("RGB")], return_tensors="pt"
    )
    gradients = []
    for model in (together, stock):
        encoded = model.model.visual(pictures["pixel_values"], grid_thw=pictures["image_grid_thw"]).pooler_output
        weight = model.model.visual.blocks[0].attn.qkv.weight
        gradients += torch.autograd.grad(encoded.square().sum(), weight)
    torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-4)
