"""Rollouts are drawn from the policy without dropout, and scored with it, as TRL scores."""

import pytest
import torch

from tiny_grpo import DEVICE, LONG, SHORT, ask, make_trainer
from vlm_grpo.methods.fast.arguments import FastArguments
from vlm_grpo.methods.fast.rollout_mode import no_dropout

ROWS = ask((SHORT, [0]), (LONG, [1]), times=2)


def rolled_out(checkpoint, folder, *, fast, dropout, generation):
    trainer = make_trainer(checkpoint, folder, fast=FastArguments(fast=fast), generation_kwargs=generation)
    for name, module in trainer.model.named_modules():
        if dropout and name.endswith("lora_dropout"):
            module["default"] = torch.nn.Dropout(dropout)
    modes = []
    tower = trainer._inner_model().get_decoder()
    tower.rotary_emb.register_forward_hook(lambda *_: modes.append(tower.training))
    torch.manual_seed(3)
    batch = trainer._generate_and_score_completions(ROWS)
    return trainer, batch, modes


@pytest.mark.parametrize("generation", [{"use_cache": True}, {"use_cache": False}])
def test_completions_are_those_of_the_policy_without_dropout(tiny_qwen, tmp_path, generation):
    """By the engine's lean step and by TRL's rollouts alike; afterwards the policy trains with dropout again."""
    _, expected, _ = rolled_out(tiny_qwen, tmp_path, fast="off", dropout=0.0, generation=generation)
    trainer, batch, _ = rolled_out(tiny_qwen, tmp_path, fast="auto", dropout=0.5, generation=generation)
    assert torch.equal(batch["completion_ids"], expected["completion_ids"])
    dropping = [module for module in trainer.model.modules() if isinstance(module, torch.nn.Dropout) and module.p]
    assert dropping
    assert all(module.training for module in dropping)
    assert trainer._engine is None or trainer._engine._workspace._step.why_not is None
    with torch.no_grad():
        first, second = (trainer.compute_loss(trainer.model, batch) for _ in range(2))
    assert first != second


def test_off_keeps_the_dropout_of_trl(tiny_qwen, tmp_path):
    _, _, modes = rolled_out(tiny_qwen, tmp_path, fast="off", dropout=0.5, generation={})
    assert modes
    assert all(modes)


def test_modules_that_were_in_evaluation_mode_stay_there():
    model = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Dropout(0.5))
    model[1].eval()
    with no_dropout(model):
        assert not any(module.training for module in model.modules())
    assert [module.training for module in model.modules()] == [True, True, False]


@pytest.mark.parametrize("fast, cast", [("auto", True), ("off", False)])
def test_completions_are_drawn_in_the_format_that_scores_them(tiny_qwen, tmp_path, fast, cast):
    """bfloat16 weights and LoRA in float32: scored under autocast, and drawn so, in the lean step too."""
    trainer = make_trainer(tiny_qwen, tmp_path, fast=FastArguments(fast=fast), bf16=True)
    trainer._inner_model().to(torch.bfloat16)
    for name, parameter in trainer.model.named_parameters():
        if "lora_" in name:
            parameter.data = parameter.data.float()
    casts = []
    trainer._inner_model().get_decoder().rotary_emb.register_forward_hook(
        lambda *_: casts.append(torch.is_autocast_enabled(DEVICE))
    )
    trainer._generate_and_score_completions(ROWS)
    drawn = casts[0]
    assert drawn is cast
    assert trainer._engine is None or trainer._engine._workspace._step.why_not is None
