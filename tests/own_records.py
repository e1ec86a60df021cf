"""Own records as people write them: JSONL files beside folders of drawn pictures."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw


def record(question: str, answer: Any, image: Any = None, **others: Any) -> dict[str, Any]:
    """One record; `image` None leaves the column out."""
    turns = [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]
    return {"conversations": turns, **({} if image is None else {"image": image}), **others}


def write(path: Path, records: Iterable[dict[str, Any] | str]) -> Path:
    """The records, or lines as they are, in the file `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in records]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def draw(folder: Path, *names: str, size: tuple[int, int] = (56, 56)) -> Path:
    """A picture for each name: a fake window whose button lies elsewhere in each."""
    for number, name in enumerate(names):
        picture = Image.new("RGB", size, "white")
        across = 4 + number * 7 % (size[0] - 16)
        ImageDraw.Draw(picture).rectangle((0, 0, size[0], 8), "navy")
        ImageDraw.Draw(picture).rectangle((across, 20, across + 10, 28), ("red", "green", "blue")[number % 3])
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        picture.save(folder / name)
    return folder


def write_mixed(root: Path, *, rows: int = 8) -> Path:
    """`rows` records in `root/own.jsonl`: text alone first, then one picture, two in the text, two in front."""
    draw(root, *(f"{n}.png" for n in range(rows)))
    kinds = (
        lambda n: record("Is water wet?", "Yes", accu_reward_method="yes_no"),
        lambda n: record("<image>How many buttons?", 1, f"{n}.png"),
        lambda n: record("Before <image> and after <image>: moved?", "Yes", [f"{n}.png", f"{n - 1}.png"]),
        lambda n: record("What has changed?", "the button", [f"{n}.png", f"{n - 1}.png"], source="drawn"),
    )
    return write(root / "own.jsonl", [kinds[n % 4](n) | {"id": n} for n in range(rows)])
