"""Qwen2-VL, Qwen2.5-VL and Qwen3-VL.

The stock processors want a video processor, which needs torchvision. Where torchvision is absent, an image-only
processor of the same class takes its place; where it is present the stock one is used (a test compares their pixels).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import (
    AutoProcessor,
    AutoTokenizer,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessorPil,
    Qwen2VLProcessor,
    Qwen3VLProcessor,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize
from transformers.processing_utils import ProcessorMixin
from transformers.utils import is_torchvision_available

from vlm_grpo.adapters.base import Adapter, Cell, ImageOption, Size, grid
from vlm_grpo.adapters.files import chat_template, check_agree, model_type, read_json
from vlm_grpo.errors import UserError

LONGEST = 200
STOCK_PROCESSORS = {
    "qwen2_vl": Qwen2VLProcessor,
    "qwen2_5_vl": Qwen2_5_VLProcessor,
    "qwen3_vl": Qwen3VLProcessor,
}


def _image_only(stock: type[ProcessorMixin]) -> type[ProcessorMixin]:
    """A subclass of `stock` made of an image processor and a tokenizer only."""

    def __init__(self: Any, image_processor: Any, tokenizer: Any, chat_template: str | None = None) -> None:
        for name, token in (
            ("image", "<|image_pad|>"),
            ("video", "<|video_pad|>"),
            ("vision_start", "<|vision_start|>"),
            ("vision_end", "<|vision_end|>"),
        ):
            setattr(self, f"{name}_token", token)
            setattr(self, f"{name}_token_id", tokenizer.convert_tokens_to_ids(token))
        ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)

    def get_attributes(cls: Any) -> list[str]:
        return ["image_processor", "tokenizer"]

    body = {
        "__init__": __init__,
        "__doc__": f"Image-only {stock.__name__}: no video processor, hence no torchvision.",
        "__module__": stock.__module__,
        "get_attributes": classmethod(get_attributes),
    }
    return type(stock.__name__, (stock,), body)


PATCHES = {"patch_size": "patch_size", "temporal_patch_size": "temporal_patch_size", "merge_size": "spatial_merge_size"}
"""How pictures are cut: names in the processor's settings and in the vision tower's."""


def load_processor(path: Path, *, image_settings: dict[str, Any]) -> Any:
    """The processor of the checkpoint in `path`; `image_settings` may hold `min_pixels` and `max_pixels`.

    `UserError` where the smallest picture is larger than the largest; one of the two may be the checkpoint's own.
    """
    processor = _load_processor(path, image_settings)
    images, vision = processor.image_processor, read_json(path / "config.json").get("vision_config", {})
    check_agree(path, {ours: (getattr(images, ours), vision.get(theirs)) for ours, theirs in PATCHES.items()})
    size = images.size
    least, most = size["shortest_edge"], size["longest_edge"]
    if least > most:
        raise UserError(f"model {path}: min_pixels {least} is more than max_pixels {most}; set both, or neither")
    return processor


def _load_processor(path: Path, image_settings: dict[str, Any]) -> Any:
    if is_torchvision_available():
        return AutoProcessor.from_pretrained(path, trust_remote_code=False, **image_settings)
    image_processor = Qwen2VLImageProcessorPil.from_pretrained(path, **image_settings)
    tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
    build = _image_only(STOCK_PROCESSORS[model_type(path)])
    return build(image_processor, tokenizer, chat_template=chat_template(path))


def refuses(size: Size) -> str | None:
    """The processor takes no picture that is more than `LONGEST` times as long as wide, or as wide as long."""
    if max(size) <= LONGEST * min(size):
        return None
    return f"is {size[0]} x {size[1]} pixels, and Qwen's processor takes no side more than {LONGEST} times the other"


def shown_size(processor: Any, size: Size) -> Size:
    """The size after the processor's resize to whole merged patches within its limits; `UserError` if it is refused."""
    if refused := refuses(size):
        raise UserError(f"a picture {refused}; crop it")
    images = processor.image_processor
    height, width = smart_resize(
        size[1],
        size[0],
        factor=images.patch_size * images.merge_size,
        min_pixels=images.size["shortest_edge"],
        max_pixels=images.size["longest_edge"],
    )
    return width, height


def picture_cells(processor: Any, encoded: Any, sizes: Sequence[Size]) -> list[Cell]:
    """One cell a merged patch, row by row."""
    tokens = (encoded["input_ids"][0] == processor.image_token_id).nonzero().flatten().tolist()
    merge = processor.image_processor.merge_size
    cells: list[Cell] = []
    for picture, (_, height, width) in enumerate(encoded["image_grid_thw"].tolist() if tokens else []):
        rows, columns = height // merge, width // merge
        start = len(cells)
        cells += grid(tokens[start : start + rows * columns], picture, rows, columns)
    assert len(cells) == len(tokens), f"{len(tokens)} picture tokens, and cells for {len(cells)}"
    return cells


QWEN = Adapter(
    family="qwen",
    label="Qwen",
    model_types=tuple(STOCK_PROCESSORS),
    load_processor=load_processor,
    lora_targets=r".*\.language_model\..*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)",
    vision_modules=("model.visual",),
    # transformers before 4.52, and what wraps a language model whole
    former_names=(
        ("model.layers.", "model.language_model.layers."),
        ("language_model.model.layers.", "model.language_model.layers."),
        ("language_model.layers.", "model.language_model.layers."),
        ("visual.", "model.visual."),
    ),
    placeholder_tokens=("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"),
    image_options={
        "min_pixels": ImageOption(int, "smallest picture, in pixels", lambda pixels: {"min_pixels": pixels}),
        "max_pixels": ImageOption(int, "largest picture, in pixels", lambda pixels: {"max_pixels": pixels}),
    },
    box_frame="resized_pixels",
    shown_size=shown_size,
    picture_cells=picture_cells,
    refuses=refuses,
    shares_prefix=True,
)
