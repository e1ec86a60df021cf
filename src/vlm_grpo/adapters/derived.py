"""A checkpoint made from another: the weights are new, everything else is the base's.

Merging an adapter makes one, and so does a training of the weights themselves. Configuration, processor, tokenizer and
chat template are copied; the weights are stored in one number format, by default the base's own.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from vlm_grpo.adapters import asked, generation
from vlm_grpo.adapters.checkpoint import FILES, Checkpoint
from vlm_grpo.adapters.files import read_json
from vlm_grpo.adapters.intact import INDEX
from vlm_grpo.store import atomic, manifest

BASE = "base.json"
"""Names the checkpoint that a training began with, beside what it made."""
NOT_COPIED = ("config.json", INDEX, BASE, manifest.MANIFEST, manifest.IDENTITY, asked.FILE)
STORED = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def stored_dtypes(checkpoint: Checkpoint) -> dict[str, torch.dtype | None]:
    """The number formats in which the weights of `checkpoint` are stored, by safetensors' names; None: not ours."""
    names: set[str] = set()
    for file in sorted(checkpoint.path.glob("*.safetensors")):
        with safe_open(file, framework="pt") as weights:
            names |= {weights.get_slice(name).get_dtype() for name in weights.keys()}  # noqa: SIM118
    return {name: STORED.get(name) for name in sorted(names)}


def trained_dtype(base: Checkpoint) -> torch.dtype:
    """The number format for weights that `base` became: its own where it has one, else float32."""
    formats = list(stored_dtypes(base).values())
    return formats[0] if len(formats) == 1 and formats[0] is not None else torch.float32


def take_weights(out: Path, trained: Path, dtype: torch.dtype) -> None:
    """Write the weights that `save_pretrained` left in `trained` to `out`, in `dtype`."""
    out.mkdir(parents=True, exist_ok=True)
    size = 0
    for file in weights_files(trained):
        weights = {name: tensor.to(dtype) for name, tensor in load_file(file).items()}
        size += sum(tensor.nbytes for tensor in weights.values())
        save_file(weights, out / file.name, metadata={"format": "pt"})
    if (trained / INDEX).is_file():
        index = json.loads((trained / INDEX).read_bytes())
        index["metadata"] = {**index.get("metadata", {}), "total_size": size}
        atomic.write_json(out / INDEX, index)


def weights_files(checkpoint: Path) -> list[Path]:
    """The files of a whole checkpoint's weights."""
    return sorted(checkpoint.glob("model*.safetensors"))


def complete(out: Path, base: Checkpoint, processor: Any, dtype: torch.dtype) -> None:
    """Put beside the weights in `out`, which are of `dtype`, everything else that `base` has.

    Its generation settings are the base's too, with every token that ends a turn among the end tokens: a base that
    lacks one would never stop where others read the checkpoint.
    """
    for file in {f for pattern in FILES for f in base.path.glob(pattern)}:
        if file.suffix != ".safetensors" and file.name not in NOT_COPIED:
            shutil.copyfile(file, out / file.name)
    config = read_json(base.path / "config.json")
    is_own = list(stored_dtypes(base).values()) == [dtype]
    atomic.write_json(out / "config.json", config if is_own else _restated(config, dtype))
    generation.complete_end_tokens(out, processor)


def _restated(config: dict[str, Any], dtype: torch.dtype) -> dict[str, Any]:
    """`config` and its parts with `dtype` wherever they state a number format."""
    restated: dict[str, Any] = {}
    for key, value in config.items():
        if key in ("dtype", "torch_dtype"):
            restated[key] = str(dtype).removeprefix("torch.")
        else:
            restated[key] = _restated(value, dtype) if isinstance(value, dict) else value
    return restated
