"""Qwen2-VL and Qwen3-VL run through the Qwen adapter: loading, encoding, LoRA placement, decoding and a GRPO step."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import get_peft_model
from PIL import Image
from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration, Qwen3VLConfig, Qwen3VLForConditionalGeneration

from tiny_data import save_tiny_data, tiny_rows
from vlm_grpo import prompts
from vlm_grpo.adapters.checkpoint import Checkpoint, open_checkpoint
from vlm_grpo.results import manifest
from vlm_grpo.training import grpo
from vlm_grpo.training.arguments import StudyArguments
from vlm_grpo.training.lora import check_placement, lora_config

IDS = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id", "eos_token_id")


def text_settings(vocabulary: int) -> dict:
    return {
        "vocab_size": vocabulary,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": 512,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]},
        "bos_token_id": None,
    }


def qwen2_vl(vocabulary: int, ids: dict) -> Qwen2VLForConditionalGeneration:
    vision = {"depth": 1, "embed_dim": 64, "hidden_size": 64, "num_heads": 4, "mlp_ratio": 2, "patch_size": 14}
    return Qwen2VLForConditionalGeneration(
        Qwen2VLConfig(text_config=text_settings(vocabulary), vision_config=vision, tie_word_embeddings=False, **ids)
    )


def qwen3_vl(vocabulary: int, ids: dict) -> Qwen3VLForConditionalGeneration:
    vision = {
        "depth": 1,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_heads": 4,
        "out_hidden_size": 64,
        "patch_size": 14,
        "num_position_embeddings": 64,
        "deepstack_visual_indexes": [0],
    }
    return Qwen3VLForConditionalGeneration(
        Qwen3VLConfig(text_config=text_settings(vocabulary), vision_config=vision, tie_word_embeddings=False, **ids)
    )


@pytest.fixture(scope="module", params=[qwen2_vl, qwen3_vl], ids=lambda build: build.__name__)
def checkpoint(request: pytest.FixtureRequest, tiny_qwen: Path, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A random model of that generation beside the tiny Qwen2.5-VL's tokenizer and picture settings."""
    folder = tmp_path_factory.mktemp("qwens") / request.param.__name__
    shutil.copytree(tiny_qwen, folder)
    written = json.loads((folder / "config.json").read_text())
    torch.manual_seed(0)
    model = request.param(written["text_config"]["vocab_size"], {name: written[name] for name in IDS})
    (folder / "generation_config.json").unlink()
    model.save_pretrained(folder)
    return open_checkpoint(str(folder))


def test_it_loads_encodes_and_decodes(checkpoint):
    assert checkpoint.adapter.family == "qwen"
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
    assert sum(p.requires_grad for p in adapted.parameters()) == 2 * 7 * 2


def test_a_grpo_step(checkpoint, tmp_path):
    data = save_tiny_data(tmp_path / "data", train=tiny_rows(8, split="train"))
    out = tmp_path / "out"
    words = ["--model", str(checkpoint.path), "--data", str(data), "--output_dir", str(out), "--max_steps", "1"]
    words += ["--num_generations", "4", "--per_device_train_batch_size", "4", "--max_completion_length", "4"]
    grpo.main([*words, "--gradient_checkpointing", "false", "--loss_type", "grpo", "--beta", "0.04"])
    assert manifest.read(out, kind="grpo")["counts"]["steps"] == 1
