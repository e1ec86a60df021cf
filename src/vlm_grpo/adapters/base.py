"""What the study needs to know about a model family, in one object.

Adding a family is one file with an `Adapter`, its import and one line in `adapters/registry.py` (docs/extending.md).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from PIL import Image

from vlm_grpo.adapters import virtual_tokens as virtual
from vlm_grpo.errors import UserError


class ProcessorLoader(Protocol):
    """Load a checkpoint's processor without remote code, with or without torchvision."""

    def __call__(self, path: Path, *, image_settings: dict[str, Any]) -> Any:
        """Return the processor of the checkpoint in `path`."""
        ...


Size = tuple[int, int]
Box = tuple[float, float, float, float]


def takes_every_size(size: Size) -> str | None:
    """No picture is refused for its size."""
    return None


@dataclass(frozen=True, slots=True)
class Cell:
    """The part of a picture that one token of the prompt stands for.

    Attributes:
        token: the token's place in the prompt.
        picture: which of the row's pictures.
        box: left, top, right and bottom, each a share of the picture's width or height.
    """

    token: int
    picture: int
    box: Box


def grid(
    tokens: Sequence[int], picture: int, rows: int, columns: int, within: Box = (0.0, 0.0, 1.0, 1.0)
) -> list[Cell]:
    """The cells of `rows` x `columns` tokens in reading order that cover the part `within` of a picture."""
    assert len(tokens) == rows * columns, f"{len(tokens)} tokens for {rows} x {columns} cells"
    left, top, right, bottom = within
    width, height = (right - left) / columns, (bottom - top) / rows
    cells = []
    for place, token in enumerate(tokens):
        x, y = left + place % columns * width, top + place // columns * height
        cells.append(Cell(token, picture, (x, y, x + width, y + height)))
    return cells


@dataclass(frozen=True)
class ImageOption:
    """A picture setting of a family: the kind of its value, its help, and the processor's settings it stands for.

    Numbers are of at least 1.
    """

    kind: type
    help: str
    settings: Callable[[Any], dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """A model family.

    Attributes:
        family: our name of it; `label` is what people call it.
        model_types: `config.json` `model_type` values it serves.
        load_processor: builds the processor from a checkpoint folder.
        lora_targets: regex of the modules LoRA adapts: the language tower's linear layers, never `lm_head`, never the
            vision tower; the same for SFT and GRPO (the study's two methods trained different parameters).
        vision_modules: prefixes of the parameters that belong to the vision tower and its connector.
        foreign_types: `model_type` of this family's checkpoints that run code of their own -> what to take instead.
        former_names: (former, present) prefixes of the language tower's modules: what adapters that other releases of
            transformers trained call them.
        placeholder_tokens: special tokens that stand for pictures; a completion must never contain one.
        image_options: picture settings the user may give, by name.
        shown_size: (processor, (width, height)) -> the size in pixels at which the model sees a picture.
        picture_cells: (processor, encoded prompt of one row, (width, height) of each of its pictures) -> which part of
            which picture each of its picture tokens stands for; what a family sees twice (whole and in tiles) has cells
            that overlap. None: not known.
        refuses: (width, height) -> why the processor takes no picture of that size in pixels; None: it does.
        shares_prefix: whether its positions and its KV cache are those that `methods.fast.prefix` and `decoding` know.
        generation: overrides of `generate` that the family needs.
        box_frame: frame in which the model writes boxes: "resized_pixels" (after the processor's resize) or
            "thousandths" (0-1000 of each side).
        virtual_tokens: how many tokens of a soft prompt stand before every prompt (`soft_prompt.behind`).
    """

    family: str
    label: str
    model_types: tuple[str, ...]
    load_processor: ProcessorLoader
    lora_targets: str
    vision_modules: tuple[str, ...]
    placeholder_tokens: tuple[str, ...]
    image_options: dict[str, ImageOption]
    box_frame: Literal["pixels", "resized_pixels", "thousandths"]
    shown_size: Callable[[Any, Size], Size]
    picture_cells: Callable[[Any, Any, Sequence[Size]], list[Cell]] | None = None
    foreign_types: Mapping[str, str] = field(default_factory=dict)
    former_names: tuple[tuple[str, str], ...] = ()
    refuses: Callable[[Size], str | None] = takes_every_size
    shares_prefix: bool = False
    generation: dict[str, Any] = field(default_factory=dict)
    virtual_tokens: int = 0

    def image_settings(self, **options: Any) -> dict[str, Any]:
        """The processor's settings for the user's picture options; None keeps the checkpoint's own value.

        An option that has no effect on this family is a `UserError`.
        """
        settings: dict[str, Any] = {}
        for name, value in options.items():
            if value is None:
                continue
            if name not in self.image_options:
                known = ", ".join(self.image_options) or "none"
                raise UserError(f"{name} has no effect on the family {self.family}; its picture settings: {known}")
            settings.update(self.image_options[name].settings(value))
        return settings

    def placeholder_ids(self, tokenizer: Any) -> list[int]:
        """Token ids of `placeholder_tokens` that this checkpoint's vocabulary has."""
        vocabulary = tokenizer.get_vocab()
        return sorted(vocabulary[token] for token in self.placeholder_tokens if token in vocabulary)

    def encode(self, processor: Any, texts: list[str], images: list[list[Image.Image]]) -> Any:
        """Left-padded model inputs of a batch of rendered prompts: `input_ids` (B, L), masks and pixels."""
        pictures = images if any(images) else None
        encoded = processor(text=texts, images=pictures, padding=True, padding_side="left", return_tensors="pt")
        return virtual.insert(encoded, self.virtual_tokens)
