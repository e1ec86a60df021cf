"""Draw what the README's lines hold, and what a model said of them.

    python -m vlm_grpo.tasks.masks.draw_polygons data/masks/val.jsonl --image-root data/masks --output vis
    python -m vlm_grpo.tasks.masks.draw_polygons data/masks/val.jsonl --image-root data/masks --output vis \
        --generations runs/masks/qwen/grpo/validation/generations.jsonl

Each line makes OUTPUT/<id>.jpg: the true outline in green, the model's in orange, the question and the IoU of the two
below. With --generations only the lines that were answered are drawn, joined by id (of a line: its own, or FILE-id as
in the data set). Where an outcomes.jsonl lies beside the generations, outlines are taken from there, which are in the
picture's pixels; else they are read from the texts and taken for such.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.option_types import whole
from vlm_grpo.paths import user_path
from vlm_grpo.rows.images import open_image
from vlm_grpo.store import jsonl
from vlm_grpo.tasks.masks import conversations, outlines
from vlm_grpo.tasks.masks.conversations import Reference
from vlm_grpo.tasks.masks.drawing import PREDICTION, RIM, TRUTH, captioned, outline
from vlm_grpo.tasks.masks.task import KINDS

OUTCOMES = "outcomes.jsonl"


@exits_cleanly
def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; see the module's docstring or `--help`."""
    parser = argparse.ArgumentParser(
        prog="python -m vlm_grpo.tasks.masks.draw_polygons",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("jsonl", type=user_path, metavar="FILE.jsonl", help="lines with id, image, conversations")
    parser.add_argument("--image-root", type=user_path, default=Path(), metavar="DIR", help="where pictures start from")
    parser.add_argument("--output", type=user_path, required=True, metavar="DIR", help="folder of the drawings")
    parser.add_argument("--limit", type=whole("--limit", least=1), default=50, help="drawings (default %(default)s)")
    parser.add_argument("--generations", type=user_path, metavar="FILE", help="an evaluation's generations.jsonl")
    given = parser.parse_args(arguments)
    said = said_by_id(given.generations) if given.generations else None
    if given.output.is_file():
        raise UserError(f"{given.output} is a file; choose a folder for the output")
    given.output.mkdir(parents=True, exist_ok=True)
    drawn = 0
    for number, record in jsonl.read_input(given.jsonl):
        if drawn == given.limit:
            break
        reference = conversations.read(record, where=f"{given.jsonl} line {number}")
        names = (reference.id, f"{given.jsonl.stem}-{reference.id}")
        answered = next((name for name in names if said is not None and name in said), None)
        if said is not None and answered is None:
            continue
        picture = open_image(given.image_root / reference.image)
        drawing = draw(picture, reference, said[answered] if said is not None and answered is not None else None)
        drawing.save(given.output / f"{reference.id}.jpg", quality=92)
        drawn += 1
    if not drawn:
        raise UserError(f"{given.generations or given.jsonl}: no line of {given.jsonl} is in it; nothing was drawn")
    print(f"{given.output}: {drawn} drawings")


Said = Mapping[str, Any]
"""`polygon` in pixels (None: no answer could be read), or the `text` that it is to be read from."""


def said_by_id(path: Path) -> dict[str, Said]:
    """What a model said, by row id, from `path` or the outcomes beside it."""
    beside = path.with_name(OUTCOMES)
    if path.name != OUTCOMES and beside.is_file():
        print(f"outlines are taken from {beside}")
        path = beside
    said: dict[str, Said] = {}
    for number, record in jsonl.read_input(path):
        if "said" in record:
            said[str(record.get("id"))] = {"polygon": record["said"]}
        elif isinstance(record.get("text"), str):
            said[str(record.get("id"))] = {"text": record["text"]}
        else:
            raise UserError(
                f"{path} line {number}: neither 'text' nor 'said'; give generations.jsonl or outcomes.jsonl"
            )
    return said


def draw(picture: Image.Image, reference: Reference, said: Said | None) -> Image.Image:
    """`picture` with the outline of `reference` and, where there is one, what was `said` of it."""
    width, height = picture.size
    truth = reference.codec.decode(reference.value)
    outline(picture, truth, TRUTH)
    lines = [(f"{reference.id}: {reference.question}", RIM)]
    if said is not None:
        polygon = said["polygon"] if "polygon" in said else KINDS[reference.codec.name].read(said["text"], "relaxed")
        if polygon:
            outline(picture, polygon, PREDICTION)
            masks = [outlines.filled(part, width=width, height=height) for part in (polygon, truth)]
            lines.append((f"IoU with the drawn reference {outlines.iou(*masks):.2f}", PREDICTION))
        else:
            lines.append(("no outline could be read", PREDICTION))
    return captioned(picture, lines)


if __name__ == "__main__":
    main()
