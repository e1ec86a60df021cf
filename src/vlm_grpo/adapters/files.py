"""Read the small files of a checkpoint folder, and tell in one line what a library says of files that are not ours."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from vlm_grpo import text_files
from vlm_grpo.errors import UserError
from vlm_grpo.store.manifest import read_json as read_json_object

REASON_CHARACTERS = 200


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Within the context a library reads somebody else's files: what it raises becomes a `UserError` opened by `where`.

    Running out of memory is not the files' fault and passes through.
    """
    try:
        yield
    except (UserError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:REASON_CHARACTERS] or "no reason given"
        raise UserError(f"{where} ({type(error).__name__}: {reason}); copy or download the checkpoint again") from error


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`, empty when the file is absent."""
    return read_json_object(path, is_ours=False) if path.exists() else {}


def model_type(path: Path) -> str:
    """`model_type` of the checkpoint's `config.json`."""
    name = read_json(path / "config.json").get("model_type")
    if not isinstance(name, str):
        raise UserError(f"{path / 'config.json'} has no model_type; is this a transformers checkpoint?")
    return name


def check_agree(path: Path, pairs: Mapping[str, tuple[Any, Any]]) -> None:
    """`UserError` for the first setting of which the processor in `path` and its `config.json` say different things.

    `pairs` are the (processor's, config's) values by name; None is not stated.
    """
    for name, (processor, config) in pairs.items():
        if None not in (processor, config) and processor != config:
            raise UserError(
                f"{path}: its processor has {name} {processor} where config.json asks for {config}; the files are of "
                "two checkpoints: copy or download it again"
            )


def chat_template(path: Path) -> str:
    """The chat template, wherever this checkpoint's generation of transformers stored it."""
    plain = path / "chat_template.jinja"
    if plain.exists():
        return text_files.read_text(plain)
    for name in ("chat_template.json", "processor_config.json", "tokenizer_config.json"):
        template = read_json(path / name).get("chat_template")
        if isinstance(template, str):
            return template
    raise UserError(f"{path} has no chat template (chat_template.jinja); an instruction-tuned checkpoint is needed")
