"""COCO's 100 annotated pictures and fake detections, where the folder of real data is, and small made-up files."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

REAL = Path(__file__).parents[2] / "shared" / "data" / "coco"
needs_coco = pytest.mark.skipif(not REAL.is_dir(), reason="the folder of real COCO annotations is not here")


def annotation(id: int, image: int, category: int, box: list[float], **others: Any) -> dict[str, Any]:
    """An object whose mask is its box (x, y, width, height)."""
    x, y, width, height = box
    corners = [x, y, x + width, y, x + width, y + height, x, y + height]
    entry = {"id": id, "image_id": image, "category_id": category, "bbox": box, "area": width * height, "iscrowd": 0}
    return entry | {"segmentation": [corners]} | others


def write_coco(
    folder: Path,
    annotations: list[dict[str, Any]],
    *,
    images: int,
    split: str = "val",
    size: tuple[int, int] = (64, 48),
) -> Path:
    """A folder in COCO's layout: `images` grey pictures of `size`, ids from 1, categories 1 person and 2 dog."""
    width, height = size
    content = {
        "images": [
            {"id": n, "file_name": f"{n:03}.jpg", "width": width, "height": height} for n in range(1, images + 1)
        ],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "person"}, {"id": 2, "name": "dog"}],
    }
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    (folder / "annotations" / f"instances_{split}2014.json").write_text(json.dumps(content))
    (folder / f"{split}2014").mkdir(exist_ok=True)
    for image in content["images"]:
        Image.new("RGB", size, "grey").save(folder / f"{split}2014" / image["file_name"])
    return folder
