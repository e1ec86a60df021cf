"""Every trained tensor lands in the model, by its present or its former name, or one line says which does not."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from vlm_grpo.adapters.lora import open_lora
from vlm_grpo.errors import UserError
from vlm_grpo.merge import command as merge
from vlm_grpo.merge import probe

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
PREFIX = "base_model.model."


@pytest.fixture
def adapter(request, tmp_path):
    """A copy of the family's adapter; `change` it before it is used."""
    family = getattr(request, "param", "tiny_qwen")
    return Path(shutil.copytree(request.getfixturevalue(f"{family}_lora"), tmp_path / "adapter"))


def change_names(folder: Path, change) -> None:
    tensors = load_file(folder / WEIGHTS)
    save_file({change(name): tensor for name, tensor in tensors.items()}, folder / WEIGHTS)


def change_config(folder: Path, **changes) -> None:
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(config | changes))


def logits(folder: Path) -> torch.Tensor:
    """What the base with the adapter in `folder` says to the probe."""
    lora = open_lora(folder)
    model = lora.attach(lora.base.load_model(dtype=torch.float32))
    return probe.logits(model, probe.encode(lora.base.adapter, lora.base.load_processor()))


QWEN_FORMER = ("model.language_model.layers.", "model.layers.")
QWEN_WRAPPED = ("model.language_model.layers.", "language_model.model.layers.")
SMOLVLM_FORMER = ("model.text_model.layers.", "text_model.layers.")
REGEX = r"^model\.layers\.\d+\..*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)$"


@pytest.mark.parametrize(
    "adapter, names, targets",
    [
        ("tiny_qwen", QWEN_FORMER, None),
        ("tiny_qwen", QWEN_FORMER, REGEX),
        ("tiny_qwen", QWEN_WRAPPED, REGEX.replace("model", r"language_model\.model")),
        ("tiny_internvl", QWEN_WRAPPED, None),
        ("tiny_smolvlm", SMOLVLM_FORMER, None),
        ("tiny_smolvlm", ("model.text_model.layers.", "model.layers."), None),
    ],
    indirect=["adapter"],
)
def test_a_former_name_of_the_language_tower_is_mapped_and_told(adapter, names, targets, capsys):
    expected = logits(adapter)
    present, former = names
    change_names(adapter, lambda name: name.replace(PREFIX + present, PREFIX + former))
    if targets is not None:
        change_config(adapter, target_modules=targets)
    assert torch.equal(logits(adapter), expected)
    assert f"its tensors of {former}* are put into {present}*" in capsys.readouterr().err


@pytest.mark.parametrize(
    "change",
    [
        lambda name: name.removeprefix(PREFIX),
        lambda name: name.replace(".weight", ".default.weight"),
    ],
    ids=["without prefix", "with the adapter's name"],
)
def test_other_spellings_of_the_same_name_land_too(adapter, change):
    expected = logits(adapter)
    change_names(adapter, change)
    assert torch.equal(logits(adapter), expected)


def refused(folder: Path) -> str:
    lora = open_lora(folder)
    with pytest.raises(UserError) as raised:
        lora.attach(lora.base.load_model(dtype=torch.float32))
    return str(raised.value)


def test_names_of_no_module_are_counted_and_the_first_is_named(adapter):
    tensors = load_file(adapter / WEIGHTS)
    change_names(adapter, lambda name: name.replace("language_model", "decoder"))
    first = min(load_file(adapter / WEIGHTS))
    assert f"{len(tensors)} of its {len(tensors)} tensors have no place in the base, the first {first}" in refused(
        adapter
    )


@pytest.mark.parametrize(
    "kept",
    [
        lambda name: "lora_A" in name,
        lambda name: ".layers.0." in name,
        lambda name: not name.endswith("layers.1.mlp.up_proj.lora_B.weight"),
    ],
    ids=["one factor", "one layer", "all but one"],
)
@pytest.mark.parametrize("former", [False, True], ids=["present names", "former names"])
def test_a_part_of_the_keys_is_refused(adapter, kept, former):
    tensors = load_file(adapter / WEIGHTS)
    save_file({name: tensor for name, tensor in tensors.items() if kept(name)}, adapter / WEIGHTS)
    if former:
        change_names(adapter, lambda name: name.replace(*QWEN_FORMER))
    gone = sorted(name for name in tensors if not kept(name))
    assert f"{WEIGHTS} lacks {len(gone)} of the {len(tensors)} tensors that {CONFIG} asks for, the first {gone[0]}" in (
        refused(adapter)
    )


def test_another_rank_is_one_line(adapter):
    change_config(adapter, r=8)
    message = refused(adapter)
    assert "have another shape than adapter_config.json asks for" in message
    assert "(4, " in message
    assert "instead of (8, " in message


EMBEDDING = f"{PREFIX}model.language_model.embed_tokens.weight"


@pytest.mark.parametrize(
    "change, told",
    [
        (
            lambda tensors: {name: tensor.to(torch.int8) for name, tensor in tensors.items()},
            r"hold whole numbers .*int8",
        ),
        (
            lambda tensors: tensors | {next(iter(tensors)).replace(".weight", ".default.weight"): torch.zeros(4, 1)},
            "under two names",
        ),
        (lambda tensors: tensors | {EMBEDDING: torch.zeros(3, 3)}, rf"the first {EMBEDDING}: \(3, 3\) instead of"),
        (lambda tensors: tensors | {"step": torch.zeros(1)}, "1 of its .* have no place in the base, the first step"),
    ],
    ids=["quantised", "a tensor twice", "an embedding of another vocabulary", "a foreign tensor"],
)
def test_tensors_that_are_no_part_of_an_adapter_are_one_line(adapter, change, told):
    save_file(change(load_file(adapter / WEIGHTS)), adapter / WEIGHTS)
    assert re.search(told, refused(adapter))


def test_targets_that_match_no_module_are_one_line(adapter):
    change_config(adapter, target_modules=["wq", "wv"])
    assert "adapter_config.json does not fit the base" in refused(adapter)


def merged(folder: Path, out: Path) -> Path:
    merge.main(["--adapter", str(folder), "--out", str(out), "--dtype", "float32"])
    return out


def test_an_adapter_that_moves_nothing_is_not_merged(adapter, tmp_path, capsys):
    change_config(adapter, lora_alpha=0)
    with pytest.raises(SystemExit) as left:
        merged(adapter, tmp_path / "out")
    assert left.value.code == 2
    assert "moves nothing on the probe though its weights are not zero" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_adapter_that_was_never_trained_merges_into_its_base(tiny_qwen, tmp_path):
    from tiny_lora import save_tiny_lora

    out = merged(save_tiny_lora(tmp_path / "zero", tiny_qwen, scale=0.0), tmp_path / "out")
    before, after = (load_file(folder / "model.safetensors") for folder in (tiny_qwen, out))
    assert all(torch.equal(before[name].float(), after[name]) for name in before)


def test_an_adapter_under_former_names_merges_as_under_present_ones(adapter, tmp_path):
    present = merged(adapter, tmp_path / "present")
    change_names(adapter, lambda name: name.replace(*QWEN_FORMER))
    former = merged(adapter, tmp_path / "former")
    one, other = (load_file(folder / "model.safetensors") for folder in (present, former))
    assert all(torch.equal(one[name], other[name]) for name in one)
