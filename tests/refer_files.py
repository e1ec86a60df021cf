"""RefCOCO in the small, in each form that others publish it: a few pictures, boxes and expressions of our own."""

import io
import json
import pickle
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image, ImageDraw

SIZES = {11: (64, 48), 12: (40, 60), 13: (90, 30), 14: (50, 50)}
"""(width, height) of each picture, by its id."""
BOXES = {101: (11, 1, [4, 8, 20, 30]), 102: (11, 2, [30.5, 10.25, 33.5, 30]), 103: (12, 1, [0, 0, 40, 60])} | {
    104: (13, 2, [80, 5, 15, 20]),
    105: (14, 1, [10, 10, 20, 20]),
}
"""By annotation: its picture, its category, [x, y, width, height]; 104 reaches 5 pixels out of its picture."""
SENTENCES = {
    101: ("train", ["the left dog", "dog on the  left"]),
    102: ("val", ["right cat"]),
    103: ("train", ["the only dog"]),
    104: ("testA", ["cat at the edge"]),
    105: ("train", ["small dog"]),
}


def name_of(image: int) -> str:
    """As COCO calls it."""
    return f"COCO_train2014_{image:012d}.jpg"


def save_pictures(folder: Path) -> Path:
    """The pictures, with their boxes drawn in."""
    folder.mkdir(parents=True, exist_ok=True)
    for image, size in SIZES.items():
        picture = Image.new("RGB", size, (image * 10, 90, 140))
        for shown, _, (x, y, width, height) in BOXES.values():
            if shown == image:
                ImageDraw.Draw(picture).rectangle([x, y, x + width - 1, y + height - 1], fill="white")
        picture.save(folder / name_of(image))
    return folder


def instances() -> dict[str, Any]:
    """The annotations as COCO writes them."""
    return {
        "images": [
            {"id": image, "file_name": name_of(image), "width": width, "height": height}
            for image, (width, height) in SIZES.items()
        ],
        "annotations": [
            {"id": id, "image_id": image, "category_id": category, "bbox": box, "iscrowd": 0}
            for id, (image, category, box) in BOXES.items()
        ],
        "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}],
    }


def references() -> list[dict[str, Any]]:
    """The references as REFER's pickles hold them."""
    return [
        {
            "ref_id": number,
            "ann_id": id,
            "category_id": BOXES[id][1],
            "image_id": BOXES[id][0],
            "file_name": f"COCO_train2014_{BOXES[id][0]:012d}_{id}.jpg",
            "split": split,
            "sent_ids": [10 * id + n for n, _ in enumerate(sentences)],
            "sentences": [
                {"sent_id": 10 * id + n, "sent": sent, "raw": sent, "tokens": sent.split()}
                for n, sent in enumerate(sentences)
            ],
        }
        for number, (id, (split, sentences)) in enumerate(SENTENCES.items())
    ]


def save_refer(folder: Path, *, name: str = "refs(unc).p", protocol: int = 0) -> Path:
    """The pickle and, beside it, its instances; Python 2 wrote the real ones by protocol 0."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "instances.json").write_text(json.dumps(instances()))
    (folder / name).write_bytes(pickle.dumps(references(), protocol=protocol))
    return folder / name


def save_parquet(path: Path) -> Path:
    """The rows as lmms-lab has them on the hub, a picture in each."""
    rows = []
    for id, (image, _, box) in BOXES.items():
        packed = io.BytesIO()
        Image.new("RGB", SIZES[image], (image * 10, 90, 140)).save(packed, "JPEG")
        rows.append(
            {
                "question_id": str(id),
                "image": {"bytes": packed.getvalue(), "path": None},
                "question": "Describe the region.",
                "answer": SENTENCES[id][1],
                "segmentation": [float(edge) for edge in box],
                "bbox": [float(edge) for edge in box],
            }
        )
    pd.DataFrame(rows).to_parquet(path)
    return path
