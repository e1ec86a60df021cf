"""Log-probabilities and gradients of the fast path against TRL's on the same batch.

In float64 (but for the output layer, which TRL computes in float32) gradients differ by less than 1e-6 of their norm.
In float32 each one is within 1e-6, absolute plus relative, with eager attention, and within twice that with sdpa, which
takes other kernels with a mask than without. Either way the two differ by less than TRL's own rounding error. On a GPU,
which takes other kernels for other shapes, read 2e-6, and one and a half of that error.
"""

import pytest
import torch

from tiny_grpo import DEVICE, LONG, SHORT, ask, distance, make_trainer, score
from vlm_grpo.methods.fast import trainer as fast_trainer
from vlm_grpo.methods.fast.arguments import FastArguments
from vlm_grpo.methods.fast.processing import PictureLists

FAMILIES = ["tiny_qwen", "tiny_smolvlm", "tiny_internvl"]
FLAT_TILES = 4
"""Dimensions of pixels that are one tensor of tiles."""
LOGP = 1e-5
GRADIENT = 1e-6
GRADIENT_FLOAT32 = {"eager": 1e-6, "sdpa": 2e-6} if DEVICE == "cpu" else {"eager": 2e-6, "sdpa": 2e-6}
APART = 1.0 if DEVICE == "cpu" else 1.5
"""How far the two may be from each other, in TRL's own errors: a GPU sums in another order for another shape."""
CASES = {
    "unequal prompts": ask((SHORT, [0]), (LONG, [1]), times=4),
    "several pictures": ask((LONG, [0, 1]), (SHORT, [2]), (SHORT, [2, 2]), times=2),
    "one text, two pictures": ask((SHORT, [0]), (SHORT, [1]), times=3),
    "an image-free row": ask((LONG, [0]), (LONG, []), times=3),
    "groups of one": ask((SHORT, [0]), (LONG, [1]), (LONG, [2]), times=1),
    "a group cut in two": ask((SHORT, [0]), (LONG, [1]), times=3)[2:],
}


@pytest.fixture(scope="module", params=FAMILIES)
def trainers(request, tmp_path_factory):
    checkpoint = request.getfixturevalue(request.param)
    out = tmp_path_factory.mktemp("fast")
    return double(make_trainer(checkpoint, out)), double(make_trainer(checkpoint, out, fast=FastArguments(fast="on")))


def double(trainer):
    trainer.model.double()
    return trainer


def rollout(stock, rows):
    """A batch that the stock trainer generated, with completions of unequal lengths, one of which ends at once."""
    torch.manual_seed(3)
    stock.num_generations = 1
    processor, stock.processing_class = stock.processing_class, PictureLists(stock.processing_class)
    batch = stock._generate_and_score_completions(rows)  # TRL alone cannot process a row without a picture
    stock.processing_class = processor
    mask = batch["completion_mask"]
    for row in range(len(mask)):
        mask[row, 1 + (3 * row) % mask.shape[1] :] = 0
    batch["completion_ids"] = batch["completion_ids"] * mask
    batch["advantages"] = torch.linspace(-1, 1.5, len(mask), dtype=torch.float64, device=mask.device)
    for name in ("ref_per_token_logps", "old_per_token_logps"):
        if name in batch:
            batch[name] = batch[name] * mask
    return batch


@pytest.mark.parametrize("case", CASES)
def test_logps_and_gradients_are_those_of_trl(trainers, case, monkeypatch):
    stock, ours = trainers
    monkeypatch.setattr(fast_trainer, "WORTH", 0.0)
    batch = rollout(stock, CASES[case])
    expected, expected_gradients = score(stock, batch)
    encoded = ours.features.encoded
    logps, gradients = score(ours, batch)
    assert expected.abs().max() > 1
    assert torch.allclose(logps, expected, atol=LOGP, rtol=0)
    assert distance(gradients, expected_gradients) < GRADIENT
    assert all("lora_" in name for name in gradients)
    score(ours, batch)
    shown = len({picture.tobytes() for row in CASES[case] for picture in row["images"]})
    pixels = batch["pixel_values"]
    most = len(pixels.flatten(1).unique(dim=0)) if pixels.ndim == FLAT_TILES else shown
    assert ours.features.encoded - encoded <= most, "each picture, or tile, is encoded at most once"


@pytest.mark.parametrize("attention", GRADIENT_FLOAT32)
@pytest.mark.parametrize("family", FAMILIES)
def test_in_float32(family, attention, request, tmp_path, monkeypatch):
    monkeypatch.setattr(fast_trainer, "WORTH", 0.0)
    checkpoint = request.getfixturevalue(family)
    stock = make_trainer(checkpoint, tmp_path, attention=attention)
    ours = make_trainer(checkpoint, tmp_path, attention=attention, fast=FastArguments(fast="on"))
    near = GRADIENT_FLOAT32[attention]
    for case in CASES.values():
        batch = rollout(stock, case)
        expected, expected_gradients = score(stock, batch)
        logps, gradients = score(ours, batch)
        assert torch.allclose(logps, expected, atol=LOGP, rtol=0)
        torch.testing.assert_close(gradients, expected_gradients, atol=near, rtol=near)


@pytest.mark.parametrize("attention", GRADIENT_FLOAT32)
@pytest.mark.parametrize("family", FAMILIES)
def test_float32_differs_by_less_than_trl_errs(family, attention, request, tmp_path, monkeypatch):
    """In float32 TRL's gradient is some 2e-6 of its norm away from the one in float64; ours may be no further."""
    monkeypatch.setattr(fast_trainer, "WORTH", 0.0)
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


@pytest.mark.parametrize("family", FAMILIES)
def test_bfloat16_errs_no_more_than_trl_does(family, request, tmp_path):
    checkpoint = request.getfixturevalue(family)
    exact = make_trainer(checkpoint, tmp_path)
    batch = rollout(exact, CASES["unequal prompts"])
    truth = score(exact, batch)[0]
    errors = []
    for fast in (None, FastArguments(fast="on")):
        trainer = make_trainer(checkpoint, tmp_path, fast=fast)
        trainer.model.to(torch.bfloat16)
        logps, gradients = score(trainer, batch)
        assert all(gradient.isfinite().all() for gradient in gradients.values())
        errors.append((logps - truth)[batch["completion_mask"].bool()].abs().mean().item())
    assert 0 < errors[1] < 1.5 * errors[0]


@pytest.mark.parametrize("chunk", [1, 3])
def test_chunks_change_nothing(trainers, chunk, monkeypatch):
    stock, ours = trainers
    batch = rollout(stock, CASES["unequal prompts"])
    expected, expected_gradients = score(stock, batch)
    monkeypatch.setattr(ours, "_rows_per_chunk", chunk)
    logps, gradients = score(ours, batch)
    assert torch.allclose(logps, expected, atol=LOGP, rtol=0)
    assert distance(gradients, expected_gradients) < GRADIENT


def test_completions_that_all_end_at_once(trainers):
    stock, ours = trainers
    batch = rollout(stock, CASES["unequal prompts"])
    batch["completion_mask"][:, 1:] = 0
    expected, expected_gradients = score(stock, batch)
    logps, gradients = score(ours, batch)
    assert torch.allclose(logps, expected, atol=LOGP, rtol=0)
    assert distance(gradients, expected_gradients) < GRADIENT


def test_equal_rewards_move_nothing(trainers):
    stock, ours = trainers
    batch = rollout(stock, CASES["unequal prompts"])
    batch["advantages"] = torch.zeros_like(batch["advantages"])
    batch["ref_per_token_logps"] = score(ours, batch)[0]
    assert all(gradient.abs().max() < 1e-6 for gradient in score(ours, batch)[1].values())


def test_reference_and_entropy(trainers):
    stock, _ = trainers
    batch = rollout(stock, CASES["several pictures"])
    inputs = {name: batch.get(name) for name in ("pixel_values", "image_grid_thw", "pixel_attention_mask")}
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], 1)
    mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], 1)
    length = batch["completion_ids"].shape[1]
    kept = []
    for trainer in trainers:
        with torch.no_grad(), trainer.model.disable_adapter():
            kept.append(
                trainer._get_per_token_logps_and_entropies(
                    trainer.model,
                    ids,
                    mask,
                    length,
                    batch_size=4,
                    compute_entropy=True,
                    num_images=batch["num_images"],
                    num_tiles=batch.get("num_tiles"),
                    mm_token_type_ids=batch.get("mm_token_type_ids"),
                    **inputs,
                )
            )
    for expected, got in zip(*[tensors[:2] for tensors in kept], strict=True):
        assert expected.abs().max() > 1
        assert torch.allclose(got, expected, atol=LOGP, rtol=0)
    adapted = score(stock, batch)[0]
    assert (adapted - kept[0][0]).abs().max() > 1e-2, "the adapter matters"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_tower_that_trains_is_encoded_with_gradient(family, request, tmp_path):
    checkpoint = request.getfixturevalue(family)
    stock = double(make_trainer(checkpoint, tmp_path, tower=True))
    ours = double(make_trainer(checkpoint, tmp_path, tower=True, fast=FastArguments()))
    assert ours.plan.vision == "the vision tower trains"
    assert ours.features is None
    batch = rollout(stock, CASES["several pictures"])
    expected, expected_gradients = score(stock, batch)
    logps, gradients = score(ours, batch)
    assert torch.allclose(logps, expected, atol=LOGP, rtol=0)
    assert any("vis" in name for name in gradients)
    assert distance(gradients, expected_gradients) < GRADIENT


def test_checkpointing_does_not_walk_a_frozen_tower(tiny_qwen, tmp_path):
    stock = make_trainer(tiny_qwen, tmp_path, gradient_checkpointing=True)
    ours = make_trainer(tiny_qwen, tmp_path, gradient_checkpointing=True, fast=FastArguments())
    assert ours.plan.vision is None
    assert "gradient_checkpointing" in ours.plan.scoring
    batch = rollout(stock, CASES["unequal prompts"])
    walked = {}
    for name, trainer in (("stock", stock), ("ours", ours)):
        visual = trainer.model.base_model.model.model.visual
        calls = walked[name] = []
        visual.blocks[0].register_full_backward_hook(lambda *_, calls=calls: calls.append(1))
        walked[name + " result"] = score(trainer, batch)
    assert walked["stock"]
    assert not walked["ours"]
    assert distance(walked["ours result"][1], walked["stock result"][1]) < GRADIENT_FLOAT32["sdpa"]
