"""Processors: image-only where torchvision is absent, equal to the stock ones where it is present."""

import numpy as np
import pytest
import torch
from PIL import Image
from transformers.utils import is_torchvision_available

from vlm_grpo import prompts
from vlm_grpo.adapters import internvl, qwen
from vlm_grpo.adapters.checkpoint import Checkpoint, open_checkpoint
from vlm_grpo.errors import UserError


@pytest.fixture(params=["tiny_qwen", "tiny_smolvlm", "tiny_internvl"])
def checkpoint(request: pytest.FixtureRequest) -> Checkpoint:
    return open_checkpoint(str(request.getfixturevalue(request.param)))


def picture(seed: int, size: tuple[int, int] = (112, 112)) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(noise)


def rendered(processor, count: int) -> str:
    turns = prompts.messages("reason", "Is the following statement true: it is.", images=count)
    return processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)


def test_a_batch_is_padded_on_the_left_and_holds_every_picture(checkpoint):
    processor = checkpoint.load_processor()
    texts = [rendered(processor, 1), rendered(processor, 2)]
    batch = checkpoint.adapter.encode(processor, texts, [[picture(0)], [picture(1), picture(2)]])
    mask = batch["attention_mask"]
    assert mask[0, 0] == 0
    assert mask[:, -1].tolist() == [1, 1]
    alone = checkpoint.adapter.encode(processor, texts[:1], [[picture(0)]])
    assert torch.equal(batch["input_ids"][0][mask[0].bool()], alone["input_ids"][0])


def test_a_prompt_without_pictures(checkpoint):
    processor = checkpoint.load_processor()
    batch = checkpoint.adapter.encode(processor, [rendered(processor, 0)], [[]])
    placeholders = checkpoint.adapter.placeholder_ids(processor.tokenizer)
    assert placeholders
    assert not torch.isin(batch["input_ids"], torch.tensor(placeholders)).any()
    assert "pixel_values" not in batch


def test_max_pixels_bounds_the_pictures_tokens(tiny_qwen):
    checkpoint = open_checkpoint(str(tiny_qwen))

    def length(**options: int) -> int:
        processor = checkpoint.load_processor(**options)
        return checkpoint.adapter.encode(processor, [rendered(processor, 1)], [[picture(0)]])["input_ids"].shape[1]

    assert length(max_pixels=56 * 56) == length() - 12


@pytest.mark.parametrize("size, tiles", [((112, 112), 1), ((224, 112), 3), ((100, 330), 4), ((300, 200), 3)])
def test_internvl_cuts_a_picture_into_tiles_nearest_to_its_shape(tiny_internvl, size, tiles):
    checkpoint = open_checkpoint(str(tiny_internvl))

    def shown(**options: int) -> int:
        processor = checkpoint.load_processor(**options)
        batch = checkpoint.adapter.encode(processor, [rendered(processor, 1)], [[picture(0, size)]])
        tokens = (batch["input_ids"] == processor.image_token_id).sum()
        assert tokens == processor.image_seq_length * len(batch["pixel_values"])
        return len(batch["pixel_values"])

    assert shown(max_patches=3) == tiles
    assert shown(max_patches=1) == 1
    assert shown(min_patches=2) > 2


@pytest.mark.parametrize(
    "family, name, options",
    [
        ("tiny_qwen", "pixels", {"max_pixels": 1}),
        ("tiny_qwen", "pixels", {"min_pixels": 10**7}),
        ("tiny_internvl", "patches", {"min_patches": 5}),
    ],
)
def test_a_limit_beyond_the_checkpoint_s_other_one_is_one_line(family, name, options, request):
    with pytest.raises(UserError, match=rf"min_{name} \d+ is more than max_{name} \d+; set both, or neither"):
        open_checkpoint(str(request.getfixturevalue(family))).load_processor(**options)


@pytest.mark.skipif(not is_torchvision_available(), reason="compares with the stock processor, which needs torchvision")
@pytest.mark.parametrize("family, adapter", [("tiny_qwen", qwen), ("tiny_internvl", internvl)])
def test_image_only_pixels_equal_the_stock_ones(family, adapter, request, monkeypatch):
    checkpoint = open_checkpoint(str(request.getfixturevalue(family)))
    stock = checkpoint.load_processor()
    monkeypatch.setattr(adapter, "is_torchvision_available", lambda: False)
    image_only = checkpoint.load_processor()
    one, other = (
        checkpoint.adapter.encode(processor, [rendered(processor, 1)], [[picture(0, (150, 90))]])
        for processor in (stock, image_only)
    )
    assert torch.equal(one["input_ids"], other["input_ids"])
    assert torch.allclose(one["pixel_values"], other["pixel_values"], atol=2 / 255 / 0.22)
