"""Qwen2-VL, Qwen3-VL, SmolVLM2 and InternVL3.5 run through their adapters: loading, LoRA, decoding, a GRPO step."""

import json
import shutil

import pytest
import torch
from peft import get_peft_model
from PIL import Image
from transformers import (
    InternVLConfig,
    InternVLForConditionalGeneration,
    PreTrainedModel,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
)

from tiny_data import save_tiny_data, tiny_rows
from tiny_grpo import LONG, SHORT, ask, distance, make_trainer, score
from tiny_models import QWEN_IDS, qwen3_vl, text_settings
from vlm_grpo import prompts
from vlm_grpo.adapters.checkpoint import Checkpoint, open_checkpoint
from vlm_grpo.methods.arguments import StudyArguments
from vlm_grpo.methods.fast.arguments import FastArguments
from vlm_grpo.methods.grpo import command as grpo
from vlm_grpo.methods.placement import check_placement, lora_config
from vlm_grpo.store import manifest


def qwen2_vl(written: dict) -> PreTrainedModel:
    text, ids = text_settings(written["text_config"]["vocab_size"]), {name: written.get(name) for name in QWEN_IDS}
    vision = {"depth": 1, "embed_dim": 64, "hidden_size": 64, "num_heads": 4, "mlp_ratio": 2, "patch_size": 14}
    return Qwen2VLForConditionalGeneration(
        Qwen2VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=False, **ids)
    )


def smolvlm2(written: dict) -> PreTrainedModel:
    kept = {name: written[name] for name in ("text_config", "vision_config", "scale_factor", "image_token_id")}
    kept["vision_config"] = {k: v for k, v in kept["vision_config"].items() if k != "model_type"}
    return SmolVLMForConditionalGeneration(
        SmolVLMConfig(**kept, pad_token_id=written["text_config"]["pad_token_id"], tie_word_embeddings=False)
    )


def internvl3_5(written: dict) -> PreTrainedModel:
    kept = {name: value for name, value in written.items() if name not in ("architectures", "dtype", "model_type")}
    return InternVLForConditionalGeneration(
        InternVLConfig(**kept | {"text_config": written["text_config"] | {"model_type": "qwen3", "head_dim": 32}})
    )


MEMBERS = {
    "qwen2_vl": (qwen2_vl, "tiny_qwen"),
    "qwen3_vl": (qwen3_vl, "tiny_qwen"),
    "smolvlm": (smolvlm2, "tiny_smolvlm"),
    "internvl": (internvl3_5, "tiny_internvl"),
}


@pytest.fixture(scope="module", params=MEMBERS)
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A random model of that type beside the tokenizer and picture settings of the family's tiny checkpoint."""
    build, relative = MEMBERS[request.param]
    folder = tmp_path_factory.mktemp("members") / request.param
    shutil.copytree(request.getfixturevalue(relative), folder)
    torch.manual_seed(0)
    model = build(json.loads((folder / "config.json").read_text()))
    (folder / "generation_config.json").unlink()
    model.save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text())["model_type"] == request.param
    return open_checkpoint(str(folder))


def test_it_loads_encodes_and_decodes(checkpoint):
    assert checkpoint.path.name in checkpoint.adapter.model_types
    processor = checkpoint.load_processor()
    turns = prompts.messages("reason", "Is the following statement true: it is.", images=1)
    text = processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    batch = checkpoint.adapter.encode(
        processor, [text] * 2, [[Image.new("RGB", (112, 112), c)] for c in ("red", "blue")]
    )
    model = checkpoint.load_model(dtype=torch.float32)
    with torch.inference_mode():
        decoded = model.generate(**batch, do_sample=False, max_new_tokens=4)
    assert decoded.shape == (2, batch["input_ids"].shape[1] + 4)


def test_lora_stays_on_the_language_tower(checkpoint):
    model = checkpoint.load_model(dtype=torch.float32)
    adapted = get_peft_model(model, lora_config(StudyArguments(model="x", data="y"), checkpoint.adapter))
    check_placement(adapted, checkpoint.adapter)
    layers = model.config.get_text_config().num_hidden_layers
    assert sum(p.requires_grad for p in adapted.parameters()) == 2 * 7 * layers


def test_a_grpo_step(checkpoint, tmp_path):
    data = save_tiny_data(tmp_path / "data", train=tiny_rows(8, split="train"))
    out = tmp_path / "out"
    words = ["--model", str(checkpoint.path), "--data", str(data), "--output_dir", str(out), "--max_steps", "1"]
    words += ["--num_generations", "4", "--per_device_train_batch_size", "4", "--max_completion_length", "4"]
    grpo.main([*words, "--gradient_checkpointing", "false", "--loss_type", "grpo", "--beta", "0.04"])
    assert manifest.read(out, kind="grpo")["counts"]["steps"] == 1


def test_the_fast_path_scores_as_trl_does(checkpoint, tmp_path):
    stock = make_trainer(checkpoint.path, tmp_path)
    ours = make_trainer(checkpoint.path, tmp_path, fast=FastArguments(fast="on", fast_chunk=2))
    rows = ask((SHORT, [0]), (LONG, [1]), times=3)
    torch.manual_seed(3)
    batch = stock._generate_and_score_completions(rows)
    torch.manual_seed(3)
    assert torch.equal(ours._generate_and_score_completions(rows)["completion_ids"], batch["completion_ids"])
    batch["advantages"] = torch.linspace(-1, 1.5, len(rows))
    expected, expected_gradients = score(stock, batch)
    logps, gradients = score(ours, batch)
    assert expected.abs().max() > 1
    assert torch.allclose(logps, expected, atol=1e-5, rtol=0)
    assert distance(gradients, expected_gradients) < 1e-5
