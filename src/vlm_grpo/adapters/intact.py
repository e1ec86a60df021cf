"""Are the files of a checkpoint or an adapter whole? Told from their sizes and headers, before anything is loaded.

A Git-LFS pointer that was never fetched, a file that was cut off, a shard that is missing: each is one line that names
the file. Headers say how long a safetensors file must be, so gigabytes are checked in milliseconds. What is in the
tensors is not looked at (`finite.py` does, once they are in memory), nor whether they fit the configuration.
"""

import json
from pathlib import Path
from typing import Any

from vlm_grpo.errors import UserError

POINTER = b"version https://git-lfs.github.com/"
SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
LENGTH_BYTES = 8
LONGEST_HEADER = 100_000_000
"""What the safetensors library accepts, in bytes."""
READ = (
    *("config.json", "generation_config.json", "processor_config.json", "preprocessor_config.json"),
    *("video_preprocessor_config.json", "tokenizer_config.json", "tokenizer.json", "special_tokens_map.json"),
    *("added_tokens.json", "chat_template.json", "chat_template.jinja", "vocab.json", "merges.txt", "tokenizer.model"),
)
"""The small files that transformers reads where they are there."""
IMAGE_PROCESSORS = ("preprocessor_config.json", "processor_config.json")
TOKENIZERS = (("tokenizer.json",), ("vocab.json", "merges.txt"), ("tokenizer.model",))
"""Sets of files any of which holds a tokenizer's vocabulary."""
AGAIN = "copy or download it again"


def check_configuration(folder: Path, *, where: str) -> None:
    """`UserError` naming the first small file of the checkpoint in `folder` that is missing or damaged.

    `where` opens the line. What counts is configuration, tokenizer, image processor and chat template.
    """
    for path in (folder / name for name in READ):
        if path.is_file() or path.is_symlink():
            read_whole_json(path, where=where) if path.suffix == ".json" else check_whole(path, where=where)
    if not any(all((folder / name).is_file() for name in names) for names in TOKENIZERS):
        raise UserError(f"{where}: {folder} has no tokenizer.json; {AGAIN}")
    if not (folder / "tokenizer_config.json").is_file():
        raise UserError(f"{where}: {folder} has no tokenizer_config.json; {AGAIN}")
    if not any(_describes_pictures(folder / name, where=where) for name in IMAGE_PROCESSORS):
        raise UserError(f"{where}: {folder} has no preprocessor_config.json (how pictures are prepared); {AGAIN}")


def _describes_pictures(path: Path, *, where: str) -> bool:
    """Whether `path` says how pictures are prepared: one file of its own, or a part of the processor's."""
    if not path.is_file():
        return False
    settings = read_whole_json(path, where=where)
    own = settings if path.name == IMAGE_PROCESSORS[0] else settings.get("image_processor", {})
    return "image_processor_type" in own or "size" in own


def check_weights(folder: Path, *, where: str) -> None:
    """`UserError` naming the first weights file of the checkpoint in `folder` that is missing or not whole."""
    shards = _shards(folder, where=where)
    for name in sorted(shards):
        if not (folder / name).is_file():
            absent = sum(not (folder / other).is_file() for other in shards)
            raise UserError(
                f"{where}: {name} is missing ({absent} of the {len(shards)} files that {INDEX} names); {AGAIN}"
            )
    for name, tensors in sorted(shards.items()):
        header = read_header(folder / name, where=where)
        lacking = [tensor for tensor in tensors if tensor not in header]
        if lacking:
            raise UserError(
                f"{where}: {name} lacks {len(lacking)} of the tensors that {INDEX} says it has, the first "
                f"{lacking[0]}; files of two versions are mixed: copy or download all of them again"
            )


def _shards(folder: Path, *, where: str) -> dict[str, list[str]]:
    """The weights files that transformers reads, each with the tensors it must have (none where no index says)."""
    if (folder / SINGLE).is_symlink() or (folder / SINGLE).is_file():
        if not (folder / SINGLE).is_file():
            raise UserError(f"{where}: {folder / SINGLE} is a link to a file that is missing; {AGAIN}")
        return {SINGLE: []}
    if not (folder / INDEX).is_file():
        files = sorted(path.name for path in folder.glob("*.safetensors"))
        raise UserError(f"{where}: {folder} has {files[0]}, but neither {SINGLE} nor {INDEX}; {AGAIN}")
    weight_map = read_whole_json(folder / INDEX, where=where).get("weight_map")
    if not isinstance(weight_map, dict) or not all(isinstance(name, str) for name in weight_map.values()):
        raise UserError(f"{where}: {folder / INDEX} has no weight_map of tensors and files; {AGAIN}")
    shards: dict[str, list[str]] = {}
    for tensor, name in weight_map.items():
        shards.setdefault(name, []).append(tensor)
    return shards


def check_whole(path: Path, *, where: str) -> None:
    """`UserError` where `path` is empty, a Git-LFS pointer, or a link to a file that is missing."""
    if not path.is_file():
        raise UserError(f"{where}: {path} is a link to a file that is missing; {AGAIN}")
    with path.open("rb") as file:
        start = file.read(len(POINTER))
    if not start:
        raise UserError(f"{where}: {path} is empty; {AGAIN}")
    if start == POINTER:
        raise UserError(f"{where}: {path} is a Git-LFS pointer, not the file itself; run git lfs pull, or {AGAIN}")


def read_whole_json(path: Path, *, where: str) -> dict[str, Any]:
    """The JSON object in `path`; `UserError` where it holds none."""
    check_whole(path, where=where)
    try:
        value = json.loads(path.read_bytes())
    except ValueError as error:
        raise UserError(f"{where}: {path}: damaged JSON ({error}); {AGAIN}") from None
    if not isinstance(value, dict):
        raise UserError(f"{where}: {path}: expected a JSON object, found {type(value).__name__}; {AGAIN}")
    return value


def read_header(path: Path, *, where: str) -> dict[str, dict[str, Any]]:
    """The tensors of the safetensors file `path` by name, each with `dtype`, `shape` and `data_offsets`.

    `UserError` where the file is not as long as its header says, or is none.
    """
    check_whole(path, where=where)
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(LENGTH_BYTES), "little")
        if size < LENGTH_BYTES or length > LONGEST_HEADER:
            raise UserError(f"{where}: {path} is no safetensors file; {AGAIN}")
        text = file.read(length)
    if len(text) < length:
        raise UserError(f"{where}: {path} is cut off within its header, at {size} bytes; {AGAIN}")
    try:
        header = json.loads(text)
        tensors = {name: tensor for name, tensor in header.items() if name != "__metadata__"}
        whole = LENGTH_BYTES + length + max((tensor["data_offsets"][1] for tensor in tensors.values()), default=0)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        raise UserError(f"{where}: {path} has a damaged header; {AGAIN}") from None
    if size != whole:
        state = "is cut off: it has" if size < whole else "has"
        raise UserError(f"{where}: {path} {state} {size} bytes instead of {whole}; {AGAIN}")
    return tensors
