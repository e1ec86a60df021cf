"""The shipped checkpoints: small, in the standard layout, loadable, and with a policy that has something to gain."""

import random

import pytest
import torch
from safetensors import safe_open
from tests.embedded.test_batches import picture
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from vlm_grpo.adapters.checkpoint import open_checkpoint, shipped_folder
from vlm_grpo.embedded import FAMILIES
from vlm_grpo.embedded.pretrain import RECIPES
from vlm_grpo.errors import UserError
from vlm_grpo.prompts import messages
from vlm_grpo.store import manifest

LIMIT = 4_000_000
FILES = {
    "config.json",
    "model.safetensors",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "chat_template.jinja",
    "manifest.json",
}

GREEDY_ACCURACY = {
    "qwen2_5_vl": (0.45, 0.80),
    "smolvlm": (0.45, 0.80),
    "qwen2_5_vl_digits": (0.25, 0.55),
    "qwen2_5_vl_cryptogram": (0, 0.3),
    "qwen2_5_vl_grounding": (0.05, 0.4),
    "qwen2_5_vl_driving": (0.05, 0.35),
}
REASONING_ACCURACY = {
    "qwen2_5_vl": 0.95,
    "smolvlm": 0.95,
    "qwen2_5_vl_digits": 0.85,
    "qwen2_5_vl_cryptogram": 0.85,
    "qwen2_5_vl_grounding": 0.5,
    "qwen2_5_vl_driving": 0.3,
}

family = pytest.mark.parametrize("family", FAMILIES)


@family
def test_folder_is_complete_and_small(family: str) -> None:
    folder = shipped_folder(family)
    assert {f.name for f in folder.iterdir()} >= FILES
    assert sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) <= LIMIT


@family
def test_manifest_names_the_command_and_the_weights_it_made(family: str) -> None:
    written = manifest.read(shipped_folder(family), kind="embedded-checkpoint")
    assert written["config"]["scale"] == 1
    assert written["command"].startswith(f"python -m vlm_grpo.embedded.pretrain --family {family} ")
    with safe_open(shipped_folder(family) / "model.safetensors", "pt") as weights:
        sizes = [torch.Size(weights.get_slice(name).get_shape()).numel() for name in weights.keys()]  # noqa: SIM118
    assert sum(sizes) == written["counts"]["parameters"]


@family
def test_base_has_something_to_gain_and_its_manifest_says_what(family: str) -> None:
    greedy = RECIPES[family].measure(shipped_folder(family), seed=0, ways=("greedy",))["greedy"]
    least, most = GREEDY_ACCURACY[family]
    assert greedy["rows"] >= 340
    assert least <= greedy["accuracy"] <= most
    assert greedy["parse_rate"] >= 0.90
    measured = manifest.read(shipped_folder(family))["measured"]["greedy"]
    assert greedy == pytest.approx(measured, abs=0.02)


@family
def test_base_is_right_once_it_reasons(family: str) -> None:
    measure = RECIPES[family].measure
    reasoning = measure(shipped_folder(family), seed=0, rows=64, ways=("reasoning",))["reasoning"]
    assert reasoning["accuracy"] >= REASONING_ACCURACY[family]


@family
def test_cache_changes_no_token(family: str) -> None:
    checkpoint = open_checkpoint(f"embedded:{family}")
    processor, model = checkpoint.load_processor(), checkpoint.load_model(dtype=torch.float32).eval()
    rng = random.Random(0)
    exercises = [RECIPES[family].lessons.probe(rng) for _ in range(4)]
    chats = [messages("answer", exercise.question, images=1) for exercise in exercises]
    prompts = [processor.apply_chat_template(chat, add_generation_prompt=True) for chat in chats]
    inputs = checkpoint.adapter.encode(processor, prompts, [[picture(exercise.scene)] for exercise in exercises])
    outputs = [model.generate(**inputs, max_new_tokens=24, use_cache=cache) for cache in (True, False)]
    assert torch.equal(*outputs)


@family
def test_tokenizer_loads_the_same_through_auto_classes(family: str) -> None:
    folder = shipped_folder(family)
    text = "Is the following statement true: The red circle is left of the blue square. <think> </think>"
    stored = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text).ids
    assert AutoTokenizer.from_pretrained(folder)(text)["input_ids"] == stored


def test_unknown_family_is_one_line() -> None:
    known = "qwen2_5_vl, qwen2_5_vl_cryptogram, qwen2_5_vl_digits, qwen2_5_vl_driving, qwen2_5_vl_grounding, smolvlm"
    with pytest.raises(UserError, match=f"no embedded checkpoint 'llava'; known: {known}"):
        shipped_folder("llava")
