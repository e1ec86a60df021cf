"""What the lean step leaves to the model's own, and that it says so."""

import logging

import pytest
import torch
from peft import LoraConfig
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

from tiny_tower import Prompts, adapt, random_model, stock_step
from vlm_grpo.decoding.lean import LeanStep
from vlm_grpo.decoding.lean_layout import why_not_lean


def second_adapter(model):
    model.add_adapter("second", LoraConfig(r=2, target_modules=r".*\.language_model\..*\.q_proj"))


CHANGED = {
    "DoRA": ({"use_dora": True}, None, "q_proj has a LoRA with more than two matrices"),
    "bias": ({"lora_bias": True, "names": "q_proj"}, None, "q_proj has a LoRA with more than two matrices"),
    "scales": ({"alpha_pattern": {"k_proj": 3}}, None, "LoRA scales q_proj, k_proj, v_proj differently"),
    "two": ({}, second_adapter, "q_proj has several adapters"),
    "merged": ({}, lambda model: model.merge_adapter(), "q_proj has its LoRA merged"),
    "off": ({}, lambda model: model.base_model.disable_adapter_layers(), "q_proj has its LoRA switched off"),
    "dropout": ({"lora_dropout": 0.1}, lambda model: model.train(), "dropout is on"),
    "mixed": ({}, lambda model: model.get_base_model().get_decoder().norm.double(), "several number formats"),
}


@pytest.mark.parametrize("change", CHANGED)
def test_an_unknown_lora_is_left_to_the_model(tiny_qwen, change, caplog):
    settings, then, reason = CHANGED[change]
    model = adapt(random_model(tiny_qwen), **settings)
    if then is not None:
        then(model)
    inner = model.get_base_model()

    with caplog.at_level(logging.WARNING):
        step = LeanStep(inner, lambda *_: torch.ones(1))
        step.refresh()

    (said,) = caplog.messages
    assert said.startswith("decoding: each token by the model's own step: ")
    assert reason in said
    assert torch.equal(step(None, None, None, None), torch.ones(1))


def test_dropout_matters_only_in_training(tiny_qwen):
    model = adapt(random_model(tiny_qwen), lora_dropout=0.1)
    assert why_not_lean(model.get_base_model()) is None
    assert why_not_lean(adapt(random_model(tiny_qwen)).train().get_base_model()) is None


def test_what_comes_and_goes_is_looked_at_before_each_rollout(tiny_qwen):
    model = adapt(random_model(tiny_qwen))
    inner = model.get_base_model()
    prompts, step = Prompts(inner), LeanStep(inner, stock_step(inner))
    adapted, _ = prompts.decode(step)

    with model.disable_adapter():
        step.refresh()
        plain, _ = prompts.decode(step)
        assert step.why_not is not None
    step.refresh()

    assert step.why_not is None
    assert not torch.equal(plain, adapted)
    assert torch.equal(prompts.decode(step)[0], adapted)


def test_hooks_are_not_passed_over(tiny_qwen):
    model = random_model(tiny_qwen)
    tower = model.get_decoder()
    for module, name in ((tower, "the tower"), (tower.layers[1].mlp.up_proj, "layers.1.mlp.up_proj")):
        hook = module.register_forward_hook(lambda module, inputs, output: output * 2)
        assert why_not_lean(model) == f"{name} has hooks or a forward of its own"
        hook.remove()
    assert why_not_lean(model) is None


def test_eager_attention_is_left_to_the_model(tiny_smolvlm):
    assert why_not_lean(random_model(tiny_smolvlm, attention="eager")) == "attention is eager, not sdpa"


def test_autocast_that_changes_the_weights_format_is_left_to_the_model(tiny_smolvlm):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert why_not_lean(random_model(tiny_smolvlm)) == "autocast is to bfloat16, which the weights are not in"
        assert why_not_lean(random_model(tiny_smolvlm, dtype=torch.bfloat16)) is None


def test_layers_of_another_family_are_left_to_the_model():
    text = {
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "vocab_size": 9,
    }
    vision = {"hidden_size": 16, "intermediate_size": 16, "depth": 1, "num_heads": 2, "out_hidden_size": 32}
    config = Qwen3VLConfig(text_config=text | {"num_key_value_heads": 1, "head_dim": 16}, vision_config=vision)
    model = Qwen3VLForConditionalGeneration(config)
    assert why_not_lean(model) == "the layers of qwen3_vl_text are not known"
