"""Which checkpoints are taken, which are refused and why, and how one is told from another."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from vlm_grpo.adapters.checkpoint import open_checkpoint, shipped_folder, weights_fingerprint
from vlm_grpo.adapters.precision import pick_dtype
from vlm_grpo.errors import UserError


@pytest.fixture
def copied(tiny_qwen: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_qwen, tmp_path / "model"))


def edit_config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_the_family_is_read_from_the_model_type_not_from_the_name(tiny_smolvlm, tmp_path):
    named = shutil.copytree(tiny_smolvlm, tmp_path / "Qwen2.5-VL-really")
    assert open_checkpoint(str(named)).adapter.family == "smolvlm"


@pytest.mark.parametrize(
    "family,adapter",
    [("qwen2_5_vl", "qwen"), ("smolvlm", "smolvlm"), ("qwen2_5_vl_digits", "qwen"), ("qwen2_5_vl_cryptogram", "qwen")],
)
def test_embedded_models_load_through_the_adapters(family, adapter):
    checkpoint = open_checkpoint(f"embedded:{family}")
    assert checkpoint.path == shipped_folder(family)
    assert checkpoint.adapter.family == adapter
    assert checkpoint.load_processor().tokenizer.padding_side == "left"


def test_unsupported_model_type(copied):
    edit_config(copied, model_type="gpt2")
    with pytest.raises(UserError, match=r"unsupported model_type 'gpt2'; supported: .*qwen2_vl, .*qwen3_vl, .*id"):
        open_checkpoint(str(copied))


def test_an_internvl_that_brings_its_own_code_is_sent_to_the_native_one(tiny_internvl, tmp_path):
    folder = Path(shutil.copytree(tiny_internvl, tmp_path / "InternVL2_5-1B"))
    edit_config(folder, model_type="internvl_chat", auto_map={"AutoModel": "modeling_internvl_chat.InternVLChatModel"})
    with pytest.raises(UserError) as raised:
        open_checkpoint(str(folder))
    assert str(raised.value) == (
        f"model {folder}: model_type 'internvl_chat' runs code of its own, and only built-in models are run; take the "
        "same model in transformers' own format, whose name ends in -hf (say OpenGVLab/InternVL3-2B-hf)"
    )


def test_no_config(copied):
    (copied / "config.json").unlink()
    with pytest.raises(UserError, match=r"has no config\.json \(not a checkpoint\)"):
        open_checkpoint(str(copied))
    (copied / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match="it is an adapter; give its base too"):
        open_checkpoint(str(copied))


def test_damaged_config(copied):
    (copied / "config.json").write_text('{"model_type": ')
    with pytest.raises(UserError, match=r"config\.json: damaged JSON"):
        open_checkpoint(str(copied))


def test_remote_code(copied):
    edit_config(copied, auto_map={"AutoModel": "modeling_evil.Evil"})
    with pytest.raises(UserError, match=r"config\.json asks to run remote code"):
        open_checkpoint(str(copied))


def test_pickled_weights(copied):
    torch.save({"weight": torch.zeros(1)}, copied / "pytorch_model.bin")
    (copied / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"only pickled weights \(pytorch_model\.bin\)"):
        open_checkpoint(str(copied))
    (copied / "pytorch_model.bin").unlink()
    with pytest.raises(UserError, match="has no weights"):
        open_checkpoint(str(copied))


@pytest.mark.parametrize("name", ["./nowhere", "/no/such/folder", "just-a-name", "embedded:gpt"])
def test_names_that_lead_nowhere(name):
    with pytest.raises(UserError, match=r"no such folder|no embedded checkpoint"):
        open_checkpoint(name)


def test_a_hub_id_that_cannot_be_reached_is_one_line(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UserError, match="model no-such-org/no-such-model: neither a folder here nor reachable"):
        open_checkpoint("no-such-org/no-such-model")


def test_the_fingerprint_sees_a_small_change_of_the_weights(copied, tiny_qwen):
    assert weights_fingerprint(copied) == weights_fingerprint(tiny_qwen)
    tensors = load_file(copied / "model.safetensors")
    name = next(n for n in tensors if n.endswith("q_proj.weight"))
    tensors[name] = tensors[name] + 1e-3
    save_file(tensors, copied / "model.safetensors", metadata={"format": "pt"})
    assert weights_fingerprint(copied) != weights_fingerprint(tiny_qwen)


def test_options_of_another_family_are_refused(tiny_qwen, tiny_smolvlm):
    with pytest.raises(UserError, match=r"longest_edge has no effect on the family qwen; .* min_pixels, max_pixels"):
        open_checkpoint(str(tiny_qwen)).load_processor(longest_edge=100)
    with pytest.raises(UserError, match="max_pixels has no effect on the family smolvlm"):
        open_checkpoint(str(tiny_smolvlm)).load_processor(max_pixels=100)


def test_precision_on_this_machine():
    if not torch.cuda.is_available():
        assert pick_dtype("auto") is torch.float32
    assert pick_dtype("float16") is torch.float16
    with pytest.raises(UserError, match="unknown dtype 'half'"):
        pick_dtype("half")
