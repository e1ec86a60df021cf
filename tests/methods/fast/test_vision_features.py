"""Each picture passes the tower once a step, whatever the precision of the pass that asks for it, and its features are
the same whatever passes with it."""

import functools
from contextlib import nullcontext

import pytest
import torch

from tiny_grpo import DEVICE, LONG, SHORT, ask, make_trainer, score
from tiny_models import qwen3_vl
from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.adapters.files import read_json
from vlm_grpo.methods.fast import vision_features
from vlm_grpo.methods.fast.arguments import FastArguments
from vlm_grpo.methods.fast.vision_features import pictures_a_call, reuse_features

FAMILIES = {"tiny_qwen": "visual", "tiny_smolvlm": "vision_model", "tiny_internvl": "vision_tower"}
SETTINGS = {"fp32": {}, "bf16": {"bf16": True}}
ROWS = ask((SHORT, [0]), (LONG, [2]), (SHORT, [0]), times=2)
PICTURES = 2
TOGETHER = 4
TILE, PATCH, PATCH_VALUES = 112, 14, 2 * 3 * 14 * 14
GRIDS = {"a": [1, 8, 8], "b": [1, 8, 12], "c": [1, 8, 8], "d": [1, 8, 8], "e": [1, 12, 8]}
TILES = {"a": 1, "b": 3, "c": 1, "d": 1, "e": 2}
MASKED = "be"
"""Their first tile is masked at the right, unlike and alike."""
COMPOSITIONS = ["a", "abcde", "ca", "dbace", "aab", "ceda", "ebcad"]


def drawn(family, names):
    """What a processor makes of pictures, each of its own noise: squares, wide ones and tall ones."""
    noise = {name: torch.Generator().manual_seed(ord(name)) for name in GRIDS}
    if "qwen" in family:
        patches = {n: torch.randn(GRIDS[n][1] * GRIDS[n][2], PATCH_VALUES, generator=noise[n]) for n in GRIDS}
        made = {
            "pixel_values": torch.cat([patches[name] for name in names]),
            "image_grid_thw": torch.tensor([GRIDS[name] for name in names]),
        }
    else:
        tiles = {n: torch.randn(TILES[n], 3, TILE, TILE, generator=noise[n]) for n in TILES}
        made = {"pixel_values": torch.cat([tiles[name] for name in names])}
    if family == "tiny_smolvlm":
        most = max(TILES[name] for name in names)
        masks = {n: torch.ones(most, TILE, TILE, dtype=torch.bool) for n in TILES}
        for place, name in enumerate(MASKED):
            masks[name][0, :, TILE - 2 * PATCH * (1 + place) :] = False
        padded = [torch.nn.functional.pad(tiles[n], (0, 0) * 3 + (0, most - TILES[n])) for n in names]
        made = {
            "pixel_values": torch.stack(padded),
            "pixel_attention_mask": torch.stack([masks[name] for name in names]),
        }
    return {name: value.to(DEVICE) for name, value in made.items()}


def tokens(family, output, names):
    """(tokens, width) of each picture, those of its deepstack layers behind its own."""
    sizes = [GRIDS[n][1] * GRIDS[n][2] // 4 if "qwen" in family else TILES[n] for n in names]
    layers = [torch.cat(list(layer)) for layer in getattr(output, "deepstack_features", None) or ()]
    pooled = torch.cat(list(output.pooler_output))
    unit = len(pooled) // sum(sizes)
    by_layer = [layer.split([unit * size for size in sizes]) for layer in (pooled, *layers)]
    return [torch.cat(parts) for parts in zip(*by_layer, strict=True)]


@pytest.fixture(scope="module", params=[*FAMILIES, "qwen3"])
def tower(request):
    """A family and its backbone, which is left as it was."""
    if request.param == "qwen3":
        torch.manual_seed(0)
        model = qwen3_vl(read_json(request.getfixturevalue("tiny_qwen") / "config.json"))
    else:
        model = open_checkpoint(str(request.getfixturevalue(request.param))).load_model(dtype=torch.float32)
    return request.param, model.eval().requires_grad_(False).to(DEVICE).base_model


@pytest.mark.parametrize("a_call", [1, 3, TOGETHER])
@pytest.mark.parametrize("precision", SETTINGS)
def test_a_pictures_bits_do_not_depend_on_its_neighbours(tower, precision, a_call, monkeypatch):
    family, backbone = tower
    stock = backbone.get_image_features
    within = (lambda: torch.autocast(DEVICE, torch.bfloat16)) if precision == "bf16" else nullcontext
    near = {"bf16": 2e-2, "fp32": 1e-5}[precision]
    seen, masks = [], []

    @functools.wraps(stock)
    def watched(pixel_values, *rest, **named):
        seen.append(len(pixel_values))
        masks.extend(rest if family == "tiny_smolvlm" else ())
        return stock(pixel_values, *rest, **named)

    monkeypatch.setattr(backbone, "get_image_features", watched)
    cache = reuse_features(backbone, limit=1 << 30, precision=within)
    monkeypatch.setattr(vision_features, "pictures_a_call", lambda device, patches: a_call)
    alone = {}
    for name in GRIDS:
        cache.clear()
        (alone[name],) = tokens(family, backbone.get_image_features(**drawn(family, name)), name)
        with torch.no_grad(), within():
            (expected,) = tokens(family, stock(**drawn(family, name)), name)
        assert alone[name].dtype == expected.dtype
        torch.testing.assert_close(alone[name], expected, atol=near, rtol=near)
    for names in COMPOSITIONS:
        cache.clear()
        before = cache.encoded
        output = backbone.get_image_features(**drawn(family, names))
        for name, said in zip(names, tokens(family, output, names), strict=True):
            assert torch.equal(said, alone[name]), f"{name} in {names}"
        distinct = sorted(set(names))
        assert cache.encoded - before == (len(distinct) if "qwen" in family else sum(TILES[n] for n in distinct))
        held = [tensor for features in cache._kept.values() for tensor in features]
        assert sum(tensor.untyped_storage().nbytes() for tensor in held) == cache._bytes
    sizes = {height * width for _, height, width in GRIDS.values()} if "qwen" in family else {1}
    assert set(seen) == {a_call * size for size in sizes}, "a call always has the same shapes"
    assert all((mask == mask[:1]).all() for mask in masks), "other kernels serve a call with a mask"


def test_a_cpu_takes_pictures_one_by_one_and_a_gpu_what_launching_costs():
    gpu = torch.device("cuda")
    assert [pictures_a_call(torch.device("cpu"), patches) for patches in (1, 10**6)] == [1, 1]
    assert [pictures_a_call(gpu, n) for n in (64, 729, 1024, 1564, 2048, 2049, 4096, 4097, 10**6)] == [
        *(8, 8, 8, 4, 4),
        *(2, 2, 1, 1),
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_step_with_pictures_together_is_the_step_with_each_alone(family, request, tmp_path, monkeypatch):
    trainer = make_trainer(request.getfixturevalue(family), tmp_path, fast=FastArguments(fast="on"))
    rows = ask((SHORT, [0]), (LONG, [1]), (SHORT, [2]), (LONG, [3, 0]), times=2)
    steps, drawn_batches = [], []
    for a_call in (1, TOGETHER):
        monkeypatch.setattr(vision_features, "pictures_a_call", lambda device, patches, a_call=a_call: a_call)
        trainer.features.clear()
        torch.manual_seed(3)
        drawn_batches.append(trainer._generate_and_score_completions(rows))
        trainer.features.clear()
        steps.append(score(trainer, drawn_batches[0]))
    torch.testing.assert_close(*steps, atol=1e-5, rtol=1e-5)
    if DEVICE == "cpu":
        assert torch.equal(*(batch["completion_ids"] for batch in drawn_batches))


@pytest.mark.parametrize("a_call", [1, TOGETHER])
@pytest.mark.parametrize("precision", SETTINGS)
@pytest.mark.parametrize("family", FAMILIES)
def test_rollout_reference_and_policy_share_one_encoding(family, precision, a_call, request, tmp_path, monkeypatch):
    """Under autocast too, which only log-probabilities run under; and a cleared cache, as after a resume, is refilled
    with the same bits."""
    monkeypatch.setattr(vision_features, "pictures_a_call", lambda device, patches: a_call)
    passes = -(-PICTURES // a_call)
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
    assert calls == [precision == "bf16"] * passes
    assert tiles == [PICTURES, PICTURES]
    trainer.features.clear()
    again, gradients_again = score(trainer, batch)
    assert len(calls) == 2 * passes
    assert torch.equal(again, logps)
    assert all(torch.equal(gradients_again[name], gradients[name]) for name in gradients)
