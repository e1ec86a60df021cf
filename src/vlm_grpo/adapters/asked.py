"""`asked.json`: how a training run asked its model, beside its adapter and in the checkpoint that a merge makes of it.

A model that was trained on small pictures, with one prompt and one number format, is another model when it is asked
with others. The run writes down what it asked with; evaluation takes it where the user says nothing. Folders of earlier
versions have no such file.
"""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from vlm_grpo.adapters.intact import read_whole_json
from vlm_grpo.errors import UserError
from vlm_grpo.store import atomic

FILE = "asked.json"
PICTURES = (
    *("do_convert_rgb", "do_resize", "size", "max_image_size", "resample", "do_image_splitting", "do_rescale"),
    *("crop_to_patches", "min_patches", "max_patches"),
    *("rescale_factor", "do_normalize", "image_mean", "image_std", "patch_size", "merge_size", "temporal_patch_size"),
)
"""What an image processor's settings say of the pixels that the model sees."""


class Asked(BaseModel):
    """How a model was asked.

    Attributes:
        prompt: name of the prompt template.
        answers: name of the rule by which answers were read; of SFT, the one that reads what it taught.
        dtype: number format that it computed in.
        images: the picture settings that the user gave, by name.
        image_processor: the settings that prepared the pictures, whatever they came from.
        chat_template: the checkpoint's template.
        environment: what answered the model within its completion; None: nothing.
        max_tool_calling_iterations: how many of its calls were answered; None: as many as there was room for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: str
    answers: str
    dtype: str
    images: dict[str, Any]
    image_processor: dict[str, Any]
    chat_template: str
    environment: str | None = None
    max_tool_calling_iterations: int | None = None


def picture_settings(processor: Any) -> dict[str, Any]:
    """What the `processor` does to pictures, as JSON holds it."""
    settings = processor.image_processor.to_dict()
    return {name: _plain(settings[name]) for name in PICTURES if settings.get(name) is not None}


def write(folder: Path, asked: Asked) -> None:
    """Write `asked.json` to `folder`."""
    atomic.write_json(folder / FILE, asked.model_dump())


def read(folder: Path) -> Asked | None:
    """What `folder` says of how its model was asked; None where it says nothing."""
    path = folder / FILE
    if not path.exists():
        return None
    try:
        return Asked.model_validate(read_whole_json(path, where="the training's settings"))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{path}: field {field!r}: {first['msg']}; copy it again, or remove it") from None


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items() if part is not None}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value if isinstance(value, bool | float) else int(value)
