"""Files of a checkpoint or an adapter that are not whole: each is one line that names the file, before it is loaded."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText

from tiny_data import save_tiny_data, tiny_rows
from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.adapters.lora import open_lora
from vlm_grpo.errors import UserError
from vlm_grpo.evaluation.__main__ import main as evaluate
from vlm_grpo.merge import command as merge
from vlm_grpo.methods.grpo import command as grpo
from vlm_grpo.methods.sft import command as sft

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 3754612\n"
WEIGHTS = "model.safetensors"
Damage = Callable[[Path], object]


def write(name: str, text: str) -> Damage:
    return lambda folder: (folder / name).write_text(text)


def cut(name: str, *, keep: float) -> Damage:
    def damage(folder: Path) -> None:
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: int(len(whole) * keep)])

    return damage


def remove(*names: str) -> Damage:
    return lambda folder: [(folder / name).unlink() for name in names]


def change(name: str, key: str, value: object) -> Damage:
    def damage(folder: Path) -> None:
        settings = json.loads((folder / name).read_text())
        assert key in settings
        (folder / name).write_text(json.dumps(settings | {key: value}))

    return damage


def link_to_nothing(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    (folder / WEIGHTS).symlink_to(folder / "blob-that-was-cleaned-up")


def lengthen(folder: Path) -> None:
    with (folder / WEIGHTS).open("ab") as file:
        file.write(b"more")


@pytest.fixture
def copied(tiny_qwen: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_qwen, tmp_path / "model"))


@pytest.mark.parametrize(
    "damage, named, message",
    [
        (write(WEIGHTS, POINTER), WEIGHTS, "is a Git-LFS pointer, not the file itself; run git lfs pull"),
        (write(WEIGHTS, ""), WEIGHTS, "is empty"),
        (write(WEIGHTS, "<html>Not found</html>"), WEIGHTS, "is no safetensors file"),
        (cut(WEIGHTS, keep=0.5), WEIGHTS, "is cut off: it has"),
        (cut(WEIGHTS, keep=0.0002), WEIGHTS, "is cut off within its header"),
        (lengthen, WEIGHTS, "bytes instead of"),
        (link_to_nothing, WEIGHTS, "is a link to a file that is missing"),
        (write("tokenizer.json", POINTER), "tokenizer.json", "is a Git-LFS pointer"),
        (cut("tokenizer.json", keep=0.5), "tokenizer.json", "damaged JSON"),
        (remove("tokenizer.json"), "tokenizer.json", "has no"),
        (remove("tokenizer_config.json"), "tokenizer_config.json", "has no"),
        (write("tokenizer_config.json", ""), "tokenizer_config.json", "is empty"),
        (write("preprocessor_config.json", '{"size": '), "preprocessor_config.json", "damaged JSON"),
        (write("preprocessor_config.json", "{}"), "preprocessor_config.json", "has no"),
        (remove("preprocessor_config.json", "processor_config.json"), "preprocessor_config.json", "has no"),
        (write("config.json", POINTER), "config.json", "is a Git-LFS pointer"),
        (write("config.json", "[]"), "config.json", "expected a JSON object"),
        (write("generation_config.json", "{"), "generation_config.json", "damaged JSON"),
        (write("chat_template.jinja", POINTER), "chat_template.jinja", "is a Git-LFS pointer"),
    ],
)
def test_a_damaged_file_is_named(copied, damage, named, message):
    damage(copied)
    with pytest.raises(UserError) as refused:
        open_checkpoint(str(copied))
    assert named in str(refused.value)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "damage, message",
    [
        (write("tokenizer.json", "{}"), "the processor in"),
        (write("chat_template.jinja", "{% for message in %}"), "TemplateSyntaxError"),
        (lambda folder: (folder / "chat_template.jinja").write_bytes("{{ 1 }}".encode("utf-16")), "encoded in UTF-16"),
        *(
            (change("preprocessor_config.json", name, 7), f"processor has {name} 7 where config.json asks for")
            for name in ("patch_size", "temporal_patch_size", "merge_size")
        ),
    ],
)
def test_whole_json_that_says_nonsense_is_one_line(copied, damage, message):
    damage(copied)
    with pytest.raises(UserError, match=message):
        open_checkpoint(str(copied)).load_processor()


@pytest.mark.parametrize(
    "file, name, value",
    [
        ("processor_config.json", "image_seq_len", 64),
        ("preprocessor_config.json", "max_image_size", {"longest_edge": 56}),
    ],
)
def test_a_smolvlm_whose_tiles_are_another_checkpoint_s_is_one_line(tiny_smolvlm, tmp_path, file, name, value):
    folder = Path(shutil.copytree(tiny_smolvlm, tmp_path / "model"))
    change(file, name, value)(folder)
    with pytest.raises(UserError, match=rf"processor has {name} \d+ where config.json asks for \d+"):
        open_checkpoint(str(folder)).load_processor()


@pytest.mark.parametrize(
    "file, name, value",
    [
        ("processor_config.json", "image_seq_length", 64),
        ("preprocessor_config.json", "size", {"height": 448, "width": 448}),
    ],
)
def test_an_internvl_whose_tiles_are_another_checkpoint_s_is_one_line(tiny_internvl, tmp_path, file, name, value):
    folder = Path(shutil.copytree(tiny_internvl, tmp_path / "model"))
    change(file, name, value)(folder)
    with pytest.raises(UserError, match=rf"processor has {name} \d+ where config.json asks for \d+"):
        open_checkpoint(str(folder)).load_processor()


@pytest.fixture
def sharded(copied: Path) -> Path:
    """The same checkpoint in several files with an index."""
    model = AutoModelForImageTextToText.from_pretrained(copied)
    (copied / WEIGHTS).unlink()
    model.save_pretrained(copied, max_shard_size="1MB")
    assert len(list(copied.glob("*.safetensors"))) > 2
    return copied


def shard(folder: Path, number: int = 2) -> Path:
    return sorted(folder.glob("*.safetensors"))[number - 1]


def test_shards_that_are_whole_are_taken(sharded, tiny_qwen):
    loaded = open_checkpoint(str(sharded)).load_model(dtype=torch.float32).state_dict()
    single = open_checkpoint(str(tiny_qwen)).load_model(dtype=torch.float32).state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in single.items())


def test_a_missing_shard_is_named(sharded):
    gone = shard(sharded)
    count = len(list(sharded.glob("*.safetensors")))
    gone.unlink()
    with pytest.raises(UserError, match=rf"{gone.name} is missing \(1 of the {count} files that model.safetensors.ind"):
        open_checkpoint(str(sharded))


@pytest.mark.parametrize("text, message", [(POINTER, "Git-LFS pointer"), ("", "is empty")])
def test_a_damaged_shard_is_named(sharded, text, message):
    shard(sharded).write_text(text)
    with pytest.raises(UserError, match=rf"{shard(sharded).name} is .*{message}|{shard(sharded).name} {message}"):
        open_checkpoint(str(sharded))


def test_shards_of_two_versions_are_told(sharded):
    shutil.copyfile(shard(sharded, 1), shard(sharded, 2))
    with pytest.raises(UserError, match=rf"{shard(sharded, 2).name} lacks .* files of two versions are mixed"):
        open_checkpoint(str(sharded))


def test_shards_without_their_index_are_told(sharded):
    (sharded / "model.safetensors.index.json").unlink()
    with pytest.raises(UserError, match=r"but neither model\.safetensors nor model\.safetensors\.index\.json"):
        open_checkpoint(str(sharded))


def change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor], str], object]) -> str:
    """Save the weights after `change`, and return the name of the tensor that it is meant for."""
    tensors = load_file(folder / WEIGHTS)
    name = next(n for n in sorted(tensors) if n.endswith("layers.1.mlp.up_proj.weight"))
    change(tensors, name)
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    return name


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda tensors, name: tensors.pop(name), "the weights lack 1 of the model's tensors, the first {name}"),
        (
            lambda tensors, name: tensors.update({name: tensors[name][:3].clone()}),
            "{name} has the shape (3, ",
        ),
        (lambda tensors, name: tensors[name][0].fill_(torch.nan), "{name} is not finite"),
        (lambda tensors, name: tensors[name][1, 2].fill_(torch.inf), "{name} is not finite"),
        (lambda tensors, name: tensors[name][-1, -1].fill_(-torch.inf), "{name} is not finite"),
    ],
    ids=["missing", "shape", "nan", "inf", "-inf"],
)
def test_a_tensor_that_cannot_be_used_is_named(copied, change, message, caplog):
    name = change_weights(copied, change)
    with pytest.raises(UserError) as refused:
        open_checkpoint(str(copied)).load_model(dtype=torch.float32)
    assert message.format(name=name) in str(refused.value)
    assert "LOAD REPORT" not in caplog.text


def test_weights_beyond_the_range_of_a_dtype_are_told(copied):
    change_weights(copied, lambda tensors, name: tensors.update({name: tensors[name].float() + 1e6}))
    open_checkpoint(str(copied)).load_model(dtype=torch.bfloat16)
    with pytest.raises(UserError, match=r"is not finite \(NaN or infinity\) in float16; .* a wider dtype"):
        open_checkpoint(str(copied)).load_model(dtype=torch.float16)


@pytest.fixture
def adapter(tiny_qwen_lora: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_qwen_lora, tmp_path / "adapter"))


@pytest.mark.parametrize(
    "damage, message",
    [
        (write("adapter_model.safetensors", POINTER), "adapter_model.safetensors is a Git-LFS pointer"),
        (write("adapter_model.safetensors", ""), "adapter_model.safetensors is empty"),
        (cut("adapter_model.safetensors", keep=0.7), "adapter_model.safetensors is cut off"),
        (write("adapter_config.json", POINTER), "adapter_config.json is a Git-LFS pointer"),
        (write("base.json", '{"name": '), "base.json: damaged JSON"),
    ],
)
def test_a_damaged_adapter_is_named(adapter, damage, message):
    damage(adapter)
    with pytest.raises(UserError, match=message):
        open_lora(adapter)


def test_an_adapter_that_is_not_finite_is_refused(adapter):
    tensors = load_file(adapter / "adapter_model.safetensors")
    name = sorted(tensors)[3]
    tensors[name][0] = torch.nan
    save_file(tensors, adapter / "adapter_model.safetensors")
    with pytest.raises(UserError) as refused:
        open_lora(adapter)
    assert f"adapter_model.safetensors: {name} is not finite" in str(refused.value)


TRAINING = """
model: {model}
data: {data}
output_dir: {out}
per_device_train_batch_size: 4
gradient_checkpointing: false
max_steps: 1
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_data(
        tmp_path_factory.mktemp("intact") / "data", train=tiny_rows(8, split="train"), validation=tiny_rows(2)
    )


def unfit(folder: Path) -> None:
    """Whole files, of which the weights do not fit the configuration."""
    change_weights(folder, lambda tensors, name: tensors.pop(name))


@pytest.mark.parametrize("damage", [write("tokenizer.json", "{}"), unfit], ids=["tokenizer", "weights"])
@pytest.mark.parametrize("command", ["grpo", "sft", "evaluation"])
def test_the_folder_stays_free_for_the_same_command_with_a_mended_base(
    command, damage, copied, tiny_qwen, data, tmp_path, capsys
):
    out = tmp_path / "out"
    config = tmp_path / "config.yaml"
    config.write_text(TRAINING.format(model=copied, data=data, out=out))
    with config.open("a") as file:
        file.write("num_generations: 4\nmax_completion_length: 3\n" if command == "grpo" else "prompt: answer\n")
    words = {
        "grpo": ["--config", str(config)],
        "sft": ["--config", str(config)],
        "evaluation": ["--model", str(copied), "--data", str(data), "--out", str(out), "--max_new_tokens", "2"],
    }[command]
    run = {"grpo": grpo.main, "sft": sft.main, "evaluation": evaluate}[command]
    damage(copied)
    with pytest.raises(SystemExit) as left:
        run(words)
    assert left.value.code == 2
    assert len([line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]) == 1
    assert not out.exists()
    shutil.copytree(tiny_qwen, copied, dirs_exist_ok=True)
    run(words)
    assert (out / "manifest.json").exists()


def test_a_merge_leaves_the_folder_free_too(copied, adapter, tiny_qwen, tmp_path, capsys):
    note = json.loads((adapter / "base.json").read_text())
    (copied / "tokenizer.json").write_text("{}")
    (adapter / "base.json").write_text(json.dumps(note | {"name": str(copied)}))
    words = ["--adapter", str(adapter), "--out", str(tmp_path / "out"), "--dtype", "float32"]
    with pytest.raises(SystemExit):
        merge.main(words)
    assert "the processor in" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    shutil.copytree(tiny_qwen, copied, dirs_exist_ok=True)
    merge.main(words)
    assert (tmp_path / "out" / "manifest.json").exists()
