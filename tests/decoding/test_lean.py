"""The lean step against the model's own: the same tokens, the same rounding, fewer operations."""

from collections import Counter

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tiny_tower import LENGTHS, Prompts, adapt, random_model, set_lora, step_once, stock_step
from vlm_grpo.decoding.lean import LeanStep
from vlm_grpo.decoding.lean_layer import norm

LAYERS = 9
"""Those of the benchmarks' proxy; what a token takes once, the embedding and the rotations, is shared among them."""
LORA = {
    "none": None,
    "all": {},
    "some": {"names": "q_proj|v_proj|up_proj|o_proj"},
    "ranks": {"rank_pattern": {"k_proj": 2, "up_proj": 3}, "alpha_pattern": {"k_proj": 4, "up_proj": 6}},
    "uneven scale": {"lora_alpha": 7},
}


def model_of(request, family, lora=None, **how):
    model = random_model(request.getfixturevalue(f"tiny_{family}"), **how)
    return model if lora is None else adapt(model, **lora).get_base_model()


def never(*_):
    raise AssertionError("the stock step was called")


@pytest.mark.parametrize("lora", LORA)
@pytest.mark.parametrize("family", ["qwen", "smolvlm", "internvl"])
def test_float32_gives_the_models_tokens(request, family, lora):
    model = model_of(request, family, LORA[lora])
    prompts = Prompts(model)

    theirs, tokens = prompts.decode(stock_step(model))
    logits, chosen = prompts.decode(LeanStep(model, never))

    torch.testing.assert_close(logits, theirs, rtol=0, atol=1e-5)
    assert torch.equal(chosen, tokens)


@pytest.mark.parametrize("family", ["qwen", "smolvlm", "internvl"])
def test_without_a_mask_every_place_counts(request, family):
    model = model_of(request, family, {})
    prompts = Prompts(model)
    prompts.padding[:] = True

    def unmasked(step):
        return lambda ids, positions, cache, mask: step(ids, positions, cache, None if mask.all() else mask)

    theirs, _ = prompts.decode(stock_step(model))
    logits, _ = prompts.decode(unmasked(LeanStep(model, never)))

    torch.testing.assert_close(logits, theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("lora_dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("family", ["qwen", "smolvlm", "internvl"])
def test_bfloat16_moves_no_farther_than_another_batch_does(request, family, lora_dtype):
    model = model_of(request, family, {}, dtype=torch.bfloat16)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = parameter.data.to(lora_dtype)
    together = Prompts(model)
    theirs, forced = together.decode(stock_step(model))

    logits, _ = together.decode(LeanStep(model, never), forced=forced)
    alone = [
        Prompts(model, rows=slice(row, row + 1)).decode(stock_step(model), forced=forced[:, row : row + 1])[0]
        for row in range(len(LENGTHS))
    ]

    eager_moves = (torch.cat(alone, 1) - theirs)[:, 1:].norm()
    assert eager_moves > 0
    assert (logits - theirs)[:, 1:].norm() <= eager_moves


@pytest.mark.parametrize("lora", ["none", "all", "ranks", "uneven scale"])
@pytest.mark.parametrize("family", ["qwen", "smolvlm", "internvl"])
def test_under_autocast_lora_rounds_as_it_does_when_scored(request, family, lora):
    """With one step built before: autocast is looked at anew before each rollout."""
    model = model_of(request, family, LORA[lora], dtype=torch.bfloat16)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = parameter.data.float()
    prompts = Prompts(model)
    step = LeanStep(model, never)
    apart, _ = prompts.decode(step)

    with torch.autocast("cpu", dtype=torch.bfloat16):
        step.refresh()
        theirs, forced = prompts.decode(stock_step(model))
        logits, _ = prompts.decode(step, forced=forced)

    assert torch.equal(logits, theirs)
    assert lora == "none" or not torch.equal(logits, apart), "float32 and bfloat16 differ"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_norm_is_the_models(request, dtype):
    module = model_of(request, "qwen", dtype=dtype).get_decoder().norm
    rows = torch.randn(64, module.weight.shape[0], generator=torch.Generator().manual_seed(0)).to(dtype) * 3

    torch.testing.assert_close(norm(module, rows), module(rows), rtol=0, atol=1e-6 if dtype is torch.float32 else 0)


@pytest.mark.parametrize("family", ["qwen", "smolvlm", "internvl"])
def test_weights_that_change_in_place_are_taken_over_in_place(request, family):
    model = model_of(request, family, {})
    prompts = Prompts(model)
    step = LeanStep(model, never)
    before, _ = prompts.decode(step)
    copies = [copy.data_ptr() for layer in step._layers for copy in (layer.qkv.lora.up, layer.down.lora.down)]

    set_lora(model, seed=2)
    stale, _ = prompts.decode(step)
    step.refresh()
    after, tokens = prompts.decode(step)

    theirs, expected = prompts.decode(stock_step(model))
    assert torch.equal(stale, before), "weights are taken over by refresh alone"
    assert (theirs - before).abs().max() > 0.1
    torch.testing.assert_close(after, theirs, rtol=0, atol=1e-5)
    assert torch.equal(tokens, expected)
    assert copies == [copy.data_ptr() for layer in step._layers for copy in (layer.qkv.lora.up, layer.down.lora.down)]


def test_embeddings_that_require_a_gradient_do_no_harm(request):
    model = model_of(request, "qwen", {})
    prompts = Prompts(model)
    expected, _ = prompts.decode(LeanStep(model, never))

    model.enable_input_require_grads()

    assert torch.equal(prompts.decode(LeanStep(model, never))[0], expected)


def test_a_tower_that_has_moved_is_looked_at_anew(request):
    model = model_of(request, "qwen", {})
    step = LeanStep(model, never)

    with torch.no_grad():
        for parameter in model.parameters():
            parameter.data = parameter.data * 1.1
    step.refresh()

    prompts = Prompts(model)
    theirs, _ = prompts.decode(stock_step(model))
    torch.testing.assert_close(prompts.decode(step)[0], theirs, rtol=0, atol=1e-5)


class Operations(TorchDispatchMode):
    """Counts what is dispatched, views apart: on a GPU about a kernel each."""

    def __init__(self):
        super().__init__()
        self.of = Counter()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        if not operation.is_view:
            self.of[str(operation)] += 1
        return operation(*args, **(kwargs or {}))


def operations_a_layer(model, step):
    operations = Operations()

    def counted(*read):
        with operations:
            return step(*read)

    prompts = Prompts(model)
    step_once(prompts, counted, prompts.cache(), torch.arange(len(LENGTHS)), 0)
    return sum(operations.of.values()) / LAYERS


@pytest.mark.parametrize("family", ["qwen", "smolvlm", "internvl"])
def test_a_layer_takes_at_most_forty_operations_with_lora(request, family):
    model = model_of(request, family, {}, layers=LAYERS)
    assert operations_a_layer(model, stock_step(model)) > 68
    assert operations_a_layer(model, LeanStep(model, never)) <= 40


@pytest.mark.parametrize("family", ["qwen", "smolvlm", "internvl"])
def test_a_layer_takes_at_most_thirty_two_operations_without(request, family):
    model = model_of(request, family, layers=LAYERS)
    assert operations_a_layer(model, stock_step(model)) > 40
    assert operations_a_layer(model, LeanStep(model, never)) <= 32
