"""A prompt and its completions in one pass: TRL's log-probabilities and gradients, for half the operations of two."""

from types import SimpleNamespace

import pytest
import torch
from test_fast_exactness import APART, CASES, FAMILIES, GRADIENT, GRADIENT_FLOAT32, LOGP, double, rollout
from torch.utils._python_dispatch import TorchDispatchMode

from tiny_grpo import distance, make_trainer, score
from vlm_grpo.methods.fast import scoring
from vlm_grpo.methods.fast import trainer as fast_trainer
from vlm_grpo.methods.fast.arguments import FastArguments
from vlm_grpo.methods.fast.packed import is_worth_packing

GIB = 1 << 30
QWEN3B = {"num_hidden_layers": 36, "hidden_size": 2048, "intermediate_size": 11008}


class Operations(TorchDispatchMode):
    """Counts dispatched operations that are not views, each a launch on a GPU."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        self.count += all(result.alias_info is None for result in operation._schema.returns)
        return operation(*args, **(kwargs or {}))


@pytest.fixture
def packs(monkeypatch):
    monkeypatch.setattr(fast_trainer, "WORTH", 0.0)
    monkeypatch.setattr(scoring, "is_worth_packing", lambda *_, **__: True)


@pytest.mark.parametrize("family", FAMILIES)
def test_logps_and_gradients_are_those_of_trl(family, request, tmp_path, packs):
    checkpoint = request.getfixturevalue(family)
    stock = double(make_trainer(checkpoint, tmp_path))
    ours = double(make_trainer(checkpoint, tmp_path, fast=FastArguments(fast="on")))
    for case in CASES.values():
        batch = rollout(stock, case)
        expected, expected_gradients = score(stock, batch)
        logps, gradients = score(ours, batch)
        assert torch.allclose(logps, expected, atol=LOGP, rtol=0)
        assert distance(gradients, expected_gradients) < GRADIENT
    batch["completion_mask"][:, 1:] = 0
    assert torch.allclose(score(ours, batch)[0], score(stock, batch)[0], atol=LOGP, rtol=0)


@pytest.mark.parametrize("attention", GRADIENT_FLOAT32)
@pytest.mark.parametrize("family", FAMILIES)
def test_float32_differs_by_less_than_trl_errs(family, attention, request, tmp_path, packs):
    checkpoint = request.getfixturevalue(family)
    stock = make_trainer(checkpoint, tmp_path, attention=attention)
    ours = make_trainer(checkpoint, tmp_path, attention=attention, fast=FastArguments(fast="on"))
    exact = double(make_trainer(checkpoint, tmp_path))
    for case in CASES.values():
        batch = rollout(stock, case)
        (_, of_trl), (_, of_ours), (_, truth) = (score(trainer, batch) for trainer in (stock, ours, exact))
        error = distance(of_trl, truth)
        assert 0 < distance(of_ours, truth) < 1.5 * error
        assert distance(of_ours, of_trl) < APART * error


def test_half_the_operations_of_two_passes(tiny_qwen, tmp_path, monkeypatch):
    monkeypatch.setattr(fast_trainer, "WORTH", 0.0)
    trainer = make_trainer(tiny_qwen, tmp_path, fast=FastArguments(fast="on"))
    batch = rollout(trainer, CASES["unequal prompts"])
    counts = {}
    for packed in (False, True):
        monkeypatch.setattr(scoring, "is_worth_packing", lambda *_, packed=packed, **__: packed)
        score(trainer, batch)
        with Operations() as operations:
            score(trainer, batch)
        counts[packed] = operations.count
    assert counts[True] < 0.65 * counts[False]


@pytest.mark.parametrize(
    "device, attention, gib, setting, packed",
    [
        ("cpu", "sdpa", 140, (2, 500, 8, 128), False),
        ("cuda", "sdpa", 140, (2, 500, 8, 128), True),
        ("cuda", "sdpa", 140, (4, 500, 8, 128), True),
        ("cuda", "sdpa", 80, (8, 500, 8, 128), False),
        ("cuda", "sdpa", 140, (1, 500, 16, 512), False),
        ("cuda", "flash_attention_2", 140, (2, 500, 8, 128), False),
    ],
)
def test_where_it_is_worth_it(device, attention, gib, setting, packed, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(total_memory=gib * GIB))
    text = SimpleNamespace(**QWEN3B)
    config = SimpleNamespace(_attn_implementation=attention, get_text_config=lambda: text)
    backbone = SimpleNamespace(device=torch.device(device), dtype=torch.bfloat16, config=config)
    names = ("prompts", "length", "group", "completion")
    assert is_worth_packing(backbone, **dict(zip(names, setting, strict=True))) is packed
