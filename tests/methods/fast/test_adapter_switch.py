"""A model whose LoRA is switched off by flag computes as with PEFT's own switch, and afterwards as before."""

import pytest
import torch
from peft import LoraConfig, get_peft_model

from vlm_grpo.methods.fast.adapter_switch import switch_by_flag

LINEAR = {"r": 2, "target_modules": ["0", "2"], "init_lora_weights": False}


def peft_model(**config):
    torch.manual_seed(0)
    layers = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Tanh(), torch.nn.Linear(4, 4))
    return get_peft_model(layers, LoraConfig(**config))


def test_off_is_as_peft_has_it_and_on_again_as_before():
    stock, ours = peft_model(**LINEAR), peft_model(**LINEAR)
    switch_by_flag(ours)
    x = torch.ones(1, 4)
    adapted = ours(x)
    with stock.disable_adapter(), ours.disable_adapter():
        base = stock(x)
        assert torch.equal(ours(x), base)
        assert not torch.equal(base, adapted)
        with ours.disable_adapter():
            assert torch.equal(ours(x), base)
        assert torch.equal(ours(x), base), "off before stays off"
    assert torch.equal(ours(x), adapted)
    assert ours.get_model_status() == stock.get_model_status()


@pytest.mark.parametrize(
    "config", [LINEAR | {"bias": "all"}, {"r": 2, "target_modules": ["0"], "modules_to_save": ["2"]}]
)
def test_more_than_lora_keeps_the_switch_of_peft(config):
    model = peft_model(**config)
    switch_by_flag(model)
    assert "disable_adapter" not in vars(model)
