"""Each picture passes the tower once a step, whatever the precision of the pass that asks for it."""

import pytest
import torch

from tiny_grpo import DEVICE, LONG, SHORT, ask, make_trainer, score
from vlm_grpo.methods.fast.arguments import FastArguments

FAMILIES = {"tiny_qwen": "visual", "tiny_smolvlm": "vision_model", "tiny_internvl": "vision_tower"}
SETTINGS = {"fp32": {}, "bf16": {"bf16": True}}
ROWS = ask((SHORT, [0]), (LONG, [2]), (SHORT, [0]), times=2)
PICTURES = 2


@pytest.mark.parametrize("precision", SETTINGS)
@pytest.mark.parametrize("family", FAMILIES)
def test_rollout_reference_and_policy_share_one_encoding(family, precision, request, tmp_path):
    """Under autocast too, which only log-probabilities run under; and a cleared cache, as after a resume, is refilled
    with the same bits."""
    checkpoint = request.getfixturevalue(family)
    trainer = make_trainer(checkpoint, tmp_path, fast=FastArguments(fast="on"), **SETTINGS[precision])
    calls, tiles = [], []
    tower = getattr(trainer._inner_model().base_model, FAMILIES[family])
    tower.register_forward_hook(lambda *_: calls.append(torch.is_autocast_enabled(DEVICE)))
    encoded = trainer.features.encoded
    batch = trainer._generate_and_score_completions(ROWS)
    tiles.append(trainer.features.encoded - encoded)
    logps, gradients = score(trainer, batch)
    tiles.append(trainer.features.encoded - encoded)
    assert calls == [precision == "bf16"] * PICTURES
    assert tiles == [PICTURES, PICTURES]
    trainer.features.clear()
    again, gradients_again = score(trainer, batch)
    assert len(calls) == 2 * PICTURES
    assert torch.equal(again, logps)
    assert all(torch.equal(gradients_again[name], gradients[name]) for name in gradients)
