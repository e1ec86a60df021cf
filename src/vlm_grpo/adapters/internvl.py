"""InternVL in transformers' own format: InternVL3, InternVL3.5 and conversions of InternVL2.5, the "-hf" checkpoints.

A picture is cut into `min_patches` to `max_patches` square tiles, in the grid of rows and columns that is nearest to
its shape, and shown whole as well where there is more than one. The stock processor wants a video processor, which
needs torchvision; where torchvision is absent, an image-only processor of the same class takes its place.

Left out: the checkpoints that bring code of their own (`model_type` internvl_chat), since no such code is run.
"""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import AutoProcessor, AutoTokenizer, GotOcr2ImageProcessorPil, InternVLProcessor
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import get_optimal_tiled_canvas
from transformers.processing_utils import ProcessorMixin
from transformers.utils import is_torchvision_available

from vlm_grpo.adapters.base import Adapter, Cell, ImageOption, Size, grid
from vlm_grpo.adapters.files import chat_template, check_agree, read_json
from vlm_grpo.errors import UserError

TOKENS_PER_TILE = 256


class _ImageOnlyInternVLProcessor(InternVLProcessor):
    """InternVL's processor without its video processor, hence without torchvision."""

    def __init__(self, image_processor: Any, tokenizer: Any, image_seq_length: int, chat_template: str | None) -> None:
        self.image_seq_length = image_seq_length
        self.start_image_token, self.end_image_token = tokenizer.start_image_token, tokenizer.end_image_token
        self.start_image_token_id = tokenizer.start_image_token_id
        self.end_image_token_id = tokenizer.end_image_token_id
        self.image_token, self.image_token_id = tokenizer.context_image_token, tokenizer.context_image_token_id
        self.video_token = tokenizer.video_token
        self.multimodal_pattern = re.compile(
            f"(?P<image>{re.escape(self.image_token)})|(?P<video>{re.escape(self.video_token)})"
        )
        ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)

    @classmethod
    def get_attributes(cls) -> list[str]:
        """The parts that are loaded and saved."""
        return ["image_processor", "tokenizer"]


_ImageOnlyInternVLProcessor.__name__ = InternVLProcessor.__name__  # what a saved processor's file says


def load_processor(path: Path, *, image_settings: dict[str, Any]) -> Any:
    """The processor of the checkpoint in `path`; `image_settings` may hold `min_patches` and `max_patches`."""
    processor = _load_processor(path, image_settings)
    config = read_json(path / "config.json")
    vision, ratio = config.get("vision_config", {}), config.get("downsample_ratio")
    side, patch = (_side(vision.get(name)) for name in ("image_size", "patch_size"))
    tokens = round((side // patch * ratio) ** 2) if side and patch and ratio else None
    images = processor.image_processor
    check_agree(
        path,
        {
            "image_seq_length": (processor.image_seq_length, tokens),
            "size": (images.size["height"], side),
        },
    )
    if images.min_patches > images.max_patches:
        raise UserError(
            f"model {path}: min_patches {images.min_patches} is more than max_patches {images.max_patches}; set both, "
            "or neither"
        )
    return processor


def _side(value: Any) -> int | None:
    """One side of what is given as one number or as height and width."""
    return value[0] if isinstance(value, list) else value


def _load_processor(path: Path, image_settings: dict[str, Any]) -> Any:
    if is_torchvision_available():
        return AutoProcessor.from_pretrained(path, trust_remote_code=False, **image_settings)
    return _ImageOnlyInternVLProcessor(
        GotOcr2ImageProcessorPil.from_pretrained(path, **image_settings),
        AutoTokenizer.from_pretrained(path, trust_remote_code=False),
        read_json(path / "processor_config.json").get("image_seq_length", TOKENS_PER_TILE),
        chat_template(path),
    )


def tiles(processor: Any, size: Size) -> tuple[int, int]:
    """(columns, rows) of the tiles that a picture of `size` is cut into; (1, 1): it is shown whole only."""
    images = processor.image_processor
    if images.max_patches == 1:
        return 1, 1
    columns, rows = get_optimal_tiled_canvas(
        size[::-1], (images.size["height"], images.size["width"]), images.min_patches, images.max_patches
    )
    return columns, rows


def shown_size(processor: Any, size: Size) -> Size:
    """The size of all tiles together."""
    columns, rows = tiles(processor, size)
    return columns * processor.image_processor.size["width"], rows * processor.image_processor.size["height"]


def picture_cells(processor: Any, encoded: Any, sizes: Sequence[Size]) -> list[Cell]:
    """The cells of each tile, row by row, and of the whole picture, which comes last where it was cut."""
    tokens = (encoded["input_ids"][0] == processor.image_token_id).nonzero().flatten().tolist()
    length = processor.image_seq_length
    side = math.isqrt(length)
    cells: list[Cell] = []
    for picture, size in enumerate(sizes):
        columns, rows = tiles(processor, size)
        parts = [
            (column / columns, row / rows, (column + 1) / columns, (row + 1) / rows)
            for row in range(rows)
            for column in range(columns)
        ]
        for within in parts if len(parts) == 1 else [*parts, (0.0, 0.0, 1.0, 1.0)]:
            cells += grid(tokens[len(cells) : len(cells) + length], picture, side, side, within)
    assert len(cells) == len(tokens), f"{len(tokens)} picture tokens, and cells for {len(cells)}"
    return cells


INTERNVL = Adapter(
    family="internvl",
    label="InternVL",
    model_types=("internvl",),
    foreign_types={
        "internvl_chat": "take the same model in transformers' own format, whose name ends in -hf (say "
        "OpenGVLab/InternVL3-2B-hf)"
    },
    load_processor=load_processor,
    lora_targets=r".*\.language_model\..*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)",
    vision_modules=("model.vision_tower", "model.multi_modal_projector"),
    # transformers before 4.56, and what wraps a language model whole
    former_names=(
        ("model.layers.", "model.language_model.layers."),
        ("language_model.model.layers.", "model.language_model.layers."),
        ("language_model.layers.", "model.language_model.layers."),
    ),
    placeholder_tokens=("<IMG_CONTEXT>", "<img>", "</img>", "<video>"),
    image_options={
        "min_patches": ImageOption(int, "fewest tiles of a picture", lambda count: {"min_patches": count}),
        "max_patches": ImageOption(int, "most tiles of a picture", lambda count: {"max_patches": count}),
    },
    box_frame="thousandths",
    shown_size=shown_size,
    picture_cells=picture_cells,
    shares_prefix=True,
)
