"""LoRA adapts the language tower's linear layers and nothing else, in every family."""

import pytest
import torch
from peft import get_peft_model

from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.methods.arguments import StudyArguments
from vlm_grpo.methods.placement import check_placement, lora_config

PROJECTIONS = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


@pytest.mark.parametrize("family", ["tiny_qwen", "tiny_smolvlm", "tiny_internvl"])
def test_every_language_projection_and_nothing_else(family, request):
    checkpoint = open_checkpoint(str(request.getfixturevalue(family)))
    model = checkpoint.load_model(dtype=torch.float32)
    text = model.config.get_text_config()
    for name, _ in model.named_parameters():
        is_vision = name.startswith(checkpoint.adapter.vision_modules)
        assert is_vision != name.startswith(("lm_head.", "model.language_model.", "model.text_model.")), name
    linears = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
    assert any("vision" in n or "visual" in n for n in linears), "there is a vision tower to leave alone"
    adapted = get_peft_model(model, lora_config(StudyArguments(model="x", data="y", lora_r=4), checkpoint.adapter))
    trainable = [name for name, p in adapted.named_parameters() if p.requires_grad]
    assert len(trainable) == 2 * len(PROJECTIONS) * text.num_hidden_layers
    assert {name.split(".lora_")[0].rsplit(".", 1)[1] for name in trainable} == PROJECTIONS
    assert check_placement(adapted, checkpoint.adapter) == sum(
        p.numel() for p in adapted.parameters() if p.requires_grad
    )


def test_a_trainable_vision_weight_is_noticed(tiny_qwen):
    checkpoint = open_checkpoint(str(tiny_qwen))
    model = checkpoint.load_model(dtype=torch.float32)
    config = lora_config(StudyArguments(model="x", data="y"), checkpoint.adapter)
    config.target_modules = "all-linear"
    with pytest.raises(AssertionError, match="vision tower"):
        check_placement(get_peft_model(model, config), checkpoint.adapter)
