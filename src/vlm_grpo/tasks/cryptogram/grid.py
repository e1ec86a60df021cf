"""How many tokens a model makes of a table, and whether a letter fills one."""

from dataclasses import dataclass
from typing import Any

from PIL import Image
from transformers import Qwen2VLImageProcessorPil

from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.errors import UserError

QWEN2_5_VL = {"min_pixels": 3136, "max_pixels": 12845056, "patch_size": 14, "merge_size": 2, "temporal_patch_size": 2}
"""The picture settings of Qwen2.5-VL, for those who have no checkpoint at hand."""


@dataclass(frozen=True)
class TokenGrid:
    """What a processor makes of a picture `side` pixels wide: `columns` x `rows` tokens of `patch` pixels a side."""

    columns: int
    rows: int
    patch: int
    side: int

    @property
    def tokens(self) -> int:
        """Number of image tokens."""
        return self.columns * self.rows

    def shown(self, pixels: float) -> float:
        """`pixels` of the picture as the processor resizes it."""
        return pixels * self.columns * self.patch / self.side

    def fits(self, glyph: float) -> bool:
        """Whether a letter of `glyph` pixels fills a token's patch."""
        return self.shown(glyph) >= self.patch


def image_processor(model: str | None) -> Any:
    """The image processor of the checkpoint `model`; Qwen2.5-VL's where there is none."""
    if model is None:
        return Qwen2VLImageProcessorPil(**QWEN2_5_VL)
    processor = open_checkpoint(model).load_processor().image_processor
    if not hasattr(processor, "merge_size"):
        raise UserError(f"--model {model}: its pictures are no grid of merged patches; name a Qwen, or none")
    return processor


def grid_of(picture: Image.Image, processor: Any) -> TokenGrid:
    """The grid that `processor` makes of `picture`, by making it."""
    _, rows, columns = processor(images=[picture], return_tensors="pt")["image_grid_thw"][0].tolist()
    merge = processor.merge_size
    return TokenGrid(columns // merge, rows // merge, processor.patch_size * merge, picture.width)
