"""SmolVLM (Idefics3 architecture) and SmolVLM2.

The study generated with the KV cache disabled, because a former transformers release lost the image while decoding
from the cache. That stays the default here for fidelity; `decoding/cache_choice.py` turns it on once parity is shown.
"""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import (
    AutoProcessor,
    AutoTokenizer,
    Idefics3ImageProcessorPil,
    Idefics3Processor,
    SmolVLMImageProcessorPil,
    SmolVLMProcessor,
)
from transformers.processing_utils import ProcessorMixin
from transformers.utils import is_torchvision_available

from vlm_grpo.adapters.base import Adapter, Box, Cell, ImageOption, Size, grid
from vlm_grpo.adapters.files import chat_template, check_agree, model_type, read_json


class _ImageOnlySmolVLMProcessor(SmolVLMProcessor):
    """SmolVLM2's processor without its video processor, hence without torchvision."""

    def __init__(self, image_processor: Any, tokenizer: Any, image_seq_len: int, chat_template: str | None) -> None:
        self.fake_image_token = getattr(tokenizer, "fake_image_token", "<fake_token_around_image>")
        self.image_token = getattr(tokenizer, "image_token", "<image>")
        self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
        self.end_of_utterance_token = getattr(tokenizer, "end_of_utterance_token", "<end_of_utterance>")
        self.global_image_token = getattr(tokenizer, "global_image_token", "<global-img>")
        self.image_seq_len = image_seq_len
        self.video_token = None
        ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)

    # The stock method asks the video processor for its number of frames.
    apply_chat_template = ProcessorMixin.apply_chat_template

    @classmethod
    def get_attributes(cls) -> list[str]:
        """The parts that are loaded and saved."""
        return ["image_processor", "tokenizer"]


def load_processor(path: Path, *, image_settings: dict[str, Any]) -> Any:
    """The processor of the checkpoint in `path`; `image_settings` may hold `size` and `do_image_splitting`."""
    processor = _load_processor(path, image_settings)
    config = read_json(path / "config.json")
    vision, joined = config.get("vision_config", {}), config.get("scale_factor")
    side, patch = vision.get("image_size"), vision.get("patch_size")
    tokens = (side // patch) ** 2 // joined**2 if side and patch and joined else None
    tile = processor.image_processor.max_image_size["longest_edge"]
    check_agree(path, {"image_seq_len": (processor.image_seq_len, tokens), "max_image_size": (tile, side)})
    return processor


def _load_processor(path: Path, image_settings: dict[str, Any]) -> Any:
    if is_torchvision_available():
        return AutoProcessor.from_pretrained(path, trust_remote_code=False, **image_settings)
    tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
    image_seq_len = read_json(path / "processor_config.json").get("image_seq_len", 169)
    template = chat_template(path)
    if model_type(path) == "idefics3":
        image_processor = Idefics3ImageProcessorPil.from_pretrained(path, **image_settings)
        return Idefics3Processor(image_processor, tokenizer, image_seq_len=image_seq_len, chat_template=template)
    image_processor = SmolVLMImageProcessorPil.from_pretrained(path, **image_settings)
    return _ImageOnlySmolVLMProcessor(image_processor, tokenizer, image_seq_len, template)


TILE = re.compile(r"<row_(\d+)_col_(\d+)>$")


def picture_cells(processor: Any, encoded: Any, sizes: Sequence[Size]) -> list[Cell]:
    """The cells of each tile, and of the whole picture, which comes last; `<row_2_col_1>` names a tile before it."""
    ids = encoded["input_ids"][0].tolist()
    image = processor.image_token_id
    picture, tiles, cells = 0, [], []
    start = 0
    while start < len(ids):
        end = start
        while end < len(ids) and ids[end] == image:
            end += 1
        if end == start:
            start += 1
            continue
        named = TILE.search(processor.tokenizer.decode(ids[max(0, start - 16) : start]))
        run = list(range(start, end))
        if named:
            tiles.append((int(named[1]), int(named[2]), run))
        else:
            cells += [cell for tile in _in_place(tiles) for cell in _square(tile[0], picture, tile[1])]
            cells += _square(run, picture, (0.0, 0.0, 1.0, 1.0))
            picture, tiles = picture + 1, []
        start = end
    return cells


def _in_place(tiles: list[tuple[int, int, list[int]]]) -> list[tuple[list[int], Box]]:
    """Each tile's tokens with the part of the picture that it shows."""
    if not tiles:
        return []
    rows, columns = max(row for row, _, _ in tiles), max(column for _, column, _ in tiles)
    return [
        (run, ((column - 1) / columns, (row - 1) / rows, column / columns, row / rows)) for row, column, run in tiles
    ]


def _square(run: list[int], picture: int, within: Box) -> list[Cell]:
    side = math.isqrt(len(run))
    return grid(run, picture, side, side, within)


SMOLVLM = Adapter(
    family="smolvlm",
    label="SmolVLM",
    model_types=("idefics3", "smolvlm"),
    load_processor=load_processor,
    lora_targets=r".*\.text_model\..*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)",
    vision_modules=("model.vision_model", "model.connector"),
    former_names=(
        ("model.layers.", "model.text_model.layers."),
        ("text_model.model.layers.", "model.text_model.layers."),
        ("text_model.layers.", "model.text_model.layers."),
        ("model.text_model.model.layers.", "model.text_model.layers."),
    ),
    placeholder_tokens=("<image>", "<fake_token_around_image>", "<global-img>"),
    image_options={
        "longest_edge": ImageOption(
            int, "longest side before tiling, in pixels", lambda pixels: {"size": {"longest_edge": pixels}}
        ),
        "image_splitting": ImageOption(bool, "cut pictures into tiles", lambda split: {"do_image_splitting": split}),
    },
    box_frame="thousandths",
    shown_size=lambda processor, size: size,
    picture_cells=picture_cells,
    shares_prefix=True,
    generation={"use_cache": False},
)
