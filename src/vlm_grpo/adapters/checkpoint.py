"""Find a checkpoint by name, vet it, load it.

A name is a local folder, `embedded:<family>` (the tiny models shipped with the package) or a hub id, optionally with
`@revision`. Only safetensors weights are read and no code from a checkpoint is ever run.
"""

import hashlib
import logging
import sys
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from transformers import AutoModelForImageTextToText, PreTrainedModel
from transformers.utils.logging import disable_progress_bar

from vlm_grpo.adapters import intact, registry
from vlm_grpo.adapters.base import Adapter
from vlm_grpo.adapters.files import chat_template, model_type, read_json, reading
from vlm_grpo.adapters.finite import first_not_finite
from vlm_grpo.adapters.generation import end_tokens, plain_generation
from vlm_grpo.adapters.patches import embed_by_product
from vlm_grpo.adapters.windows import attend_together
from vlm_grpo.errors import UserError
from vlm_grpo.paths import user_path

EMBEDDED = "embedded:"
SHIPPED = Path(__file__).resolve().parents[1] / "embedded" / "checkpoints"
FILES = ("*.json", "*.safetensors", "*.jinja", "*.txt", "*.model")
SAMPLE_BYTES = 1 << 16
SAMPLES_PER_FILE = 64


@dataclass(frozen=True)
class Checkpoint:
    """A vetted checkpoint folder: `name` as the user gave it, `path` on disk, its family's `adapter`."""

    name: str
    path: Path
    adapter: Adapter

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the configuration and samples of the weights (see `weights_fingerprint`)."""
        return weights_fingerprint(self.path)

    def load_processor(self, *, image_settings: dict[str, Any] | None = None, **image_options: Any) -> Any:
        """The processor, padding on the left; `image_options` as in `Adapter.image_settings`.

        `image_settings` are the image processor's own, under the options; None keeps the checkpoint's.
        """
        settings = deepcopy(image_settings or {}) | self.adapter.image_settings(**image_options)
        with reading(f"model {self.name}: the processor in {self.path} cannot be loaded"):
            processor = self.adapter.load_processor(self.path, image_settings=settings)
            processor.tokenizer.padding_side = "left"
            if processor.tokenizer.pad_token is None:
                processor.tokenizer.pad_token = processor.tokenizer.eos_token
            end_tokens(plain_generation(self.path), processor)  # renders the chat template once
        return processor

    def load_model(self, *, dtype: torch.dtype, device: str | None = None, attention: str = "sdpa") -> PreTrainedModel:
        """The model in `dtype`, on `device` (None leaves placement to the trainer).

        Of the checkpoint's generation settings it has the special tokens only (`generation.py`). `UserError` naming the
        first tensor that is missing, does not fit `config.json`, or is not finite.
        """
        if not sys.stderr.isatty():
            disable_progress_bar()
        logging.getLogger("transformers.modeling_utils").addFilter(NO_LOAD_REPORT)
        with reading(f"model {self.name}: {self.path} cannot be loaded"):
            model, loading = AutoModelForImageTextToText.from_pretrained(
                self.path,
                dtype=dtype,
                attn_implementation=attention,
                trust_remote_code=False,
                use_safetensors=True,
                local_files_only=True,
                generation_config=plain_generation(self.path),
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
        self._check_loaded(model, loading)
        see_faster(model)
        return model.to(device) if device is not None else model

    def _check_loaded(self, model: PreTrainedModel, loading: dict[str, Any]) -> None:
        mismatched, missing = sorted(loading["mismatched_keys"]), sorted(loading["missing_keys"])
        if mismatched:
            name, there, wanted = mismatched[0]
            raise UserError(
                f"model {self.name}: {name} has the shape {tuple(there)} where config.json asks for {tuple(wanted)} "
                f"({len(mismatched)} such tensors); the files are of two checkpoints: {intact.AGAIN}"
            )
        if missing:
            raise UserError(
                f"model {self.name}: the weights lack {len(missing)} of the model's tensors, the first {missing[0]}; "
                f"{intact.AGAIN}"
            )
        bad = first_not_finite(model.named_parameters())
        if bad is not None:
            raise UserError(
                f"model {self.name}: {bad} is not finite (NaN or infinity) in "
                f"{str(model.dtype).removeprefix('torch.')}; take a healthy checkpoint, or a wider dtype"
            )


def see_faster(model: PreTrainedModel) -> None:
    """What every loaded model's vision tower gets: the same numbers, up to the order of summation, in less time."""
    embed_by_product(model)
    attend_together(model)


class _NoLoadReport(logging.Filter):
    """Leaves out the table that transformers logs of missing tensors: they are told in one line."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "LOAD REPORT" not in record.getMessage()


NO_LOAD_REPORT = _NoLoadReport()


def open_checkpoint(name: str) -> Checkpoint:
    """Resolve `name` to a folder and vet it; `UserError` in one line when it cannot be used."""
    path = _locate(name)
    if not (path / "config.json").is_file():
        hint = "it is an adapter; give its base too" if (path / "adapter_config.json").is_file() else "not a checkpoint"
        raise UserError(f"model {name}: {path} has no config.json ({hint})")
    where = f"model {name}"
    intact.read_whole_json(path / "config.json", where=where)
    adapter = registry.for_model_type(model_type(path), where=where)
    intact.check_configuration(path, where=where)
    chat_template(path)
    for config in ("config.json", "processor_config.json", "preprocessor_config.json", "tokenizer_config.json"):
        if "auto_map" in read_json(path / config):
            raise UserError(f"model {name}: {config} asks to run remote code (auto_map); only built-in models are run")
    if not any(path.glob("*.safetensors")):
        pickled = sorted(f.name for f in (*path.glob("*.bin"), *path.glob("*.pt"), *path.glob("*.pth")))
        reason = f"only pickled weights ({pickled[0]}), which can run code" if pickled else "no weights"
        raise UserError(f"model {name}: {path} has {reason}; convert it to safetensors first")
    intact.check_weights(path, where=where)
    return Checkpoint(name=name, path=path, adapter=adapter)


def is_here(name: str) -> bool:
    """True when `name` needs no download: an embedded model or a local folder."""
    return name.startswith(EMBEDDED) or user_path(name).is_dir()


def shipped_folder(name: str) -> Path:
    """The folder of the tiny checkpoint called `name` that the package ships."""
    if not name or not (SHIPPED / name / "config.json").is_file():
        known = ", ".join(sorted(folder.name for folder in SHIPPED.iterdir()))
        raise UserError(f"no embedded checkpoint {name!r}; known: {known}")
    return SHIPPED / name


def _locate(name: str) -> Path:
    if name.startswith(EMBEDDED):
        return shipped_folder(name.removeprefix(EMBEDDED))
    folder = user_path(name)
    if folder.is_dir():
        return folder
    if folder.is_file() or name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise UserError(
            f"model {name}: no such folder; give a checkpoint folder, embedded:<family> or a hub id org/name"
        )
    repository, _, revision = name.partition("@")
    try:
        return Path(snapshot_download(repository, revision=revision or None, allow_patterns=list(FILES)))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"model {name}: neither a folder here nor reachable on the hub ({reason})") from None


def weights_fingerprint(path: Path) -> str:
    """SHA-256 over `config.json` and, for each safetensors file, its size, its header and evenly spaced samples.

    Samples (64 blocks of 64 KiB a file) tell a merged model from its base in milliseconds where hashing gigabytes takes
    minutes; a file up to 4 MiB is read whole.
    """
    digest = hashlib.sha256()
    for config in ("config.json", "adapter_config.json"):
        if (path / config).exists():
            digest.update((path / config).read_bytes())
    for weights in sorted(path.glob("*.safetensors")):
        size = weights.stat().st_size
        digest.update(f"{weights.name}:{size}".encode())
        with weights.open("rb") as file:
            step = max(SAMPLE_BYTES, size // SAMPLES_PER_FILE)
            for start in range(0, size, step):
                file.seek(start)
                digest.update(file.read(SAMPLE_BYTES))
    return digest.hexdigest()
