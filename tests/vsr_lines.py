"""Captions in the format of the hub's `vsr_zeroshot`, for tests."""

import json
from pathlib import Path
from typing import Any


def line(image: str, *, address: str, caption: str = "The cat is on the mat.", label: int = 1, **more: Any) -> dict:
    """One line of a source file."""
    return {
        "image": image,
        "image_link": f"{address}/train2017/{image}",
        "caption": caption,
        "label": label,
        "relation": "on",
        "subj": "cat",
        "obj": "mat",
        "annotator_id": 35,
        "vote_true_validator_id": "[2, 67]",
        **more,
    }


def write_lines(path: Path, lines: list[dict]) -> Path:
    """A JSONL file without a newline at its end, as people write them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(entry) for entry in lines))
    return path


def write_splits(folder: Path, address: str) -> Path:
    """Three splits: 6 + 2 + 2 captions, 6 pictures, one of them in train and test."""
    on, off = "The cat is on the mat.", "The cat is off the mat."
    train = [line(f"{i}.png", address=address, caption=c, label=v) for i in range(3) for c, v in ((on, 1), (off, 0))]
    write_lines(folder / "train.jsonl", train)
    write_lines(folder / "dev.jsonl", [line(f"{i}.png", address=address, label=i % 2) for i in (3, 4)])
    write_lines(folder / "test.jsonl", [line(f"{i}.png", address=address, label=0) for i in (0, 5)])
    return folder
