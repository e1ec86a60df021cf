"""Build a data set of A-OKVQA's multiple choice from its own files and COCO 2017's pictures.

    python -m vlm_grpo.tasks.aokvqa --out data/aokvqa --folder aokvqa --images coco
    python -m vlm_grpo.tasks.aokvqa --out data/aokvqa --folder aokvqa --images coco --split train validation \\
        --grounded train=aokvqa_interleaved.json

FOLDER has aokvqa_v1p0_train.json and aokvqa_v1p0_val.json, IMAGES the folders train2017 and val2017. --grounded names
explanations with boxes, in the form of DrivingVQA's train.json, joined by picture and question; without one the first
rationale explains, and rows have no boxes. The other options are those of `python -m vlm_grpo.tasks.driving`.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.paths import user_path
from vlm_grpo.tasks.aokvqa import items
from vlm_grpo.tasks.driving.build import build
from vlm_grpo.tasks.driving.columns import AOKVQA
from vlm_grpo.tasks.driving.command import common, options, tell


@exits_cleanly
def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; see the module's docstring or `--help`."""
    made = argparse.ArgumentParser(
        prog="python -m vlm_grpo.tasks.aokvqa",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common()],
    )
    made.add_argument("--folder", type=user_path, required=True, help="where A-OKVQA's JSON files are")
    made.add_argument("--images", type=user_path, required=True, help="where train2017 and val2017 are")
    made.add_argument("--split", nargs="+", choices=items.SPLITS, default=list(items.SPLITS), help="default: both")
    made.add_argument("--grounded", nargs="+", default=[], metavar="SPLIT=FILE", help="explanations with boxes")
    given = made.parse_args(arguments)
    grounded = _by_split(given.grounded, given.split)
    source = items.read(given.folder, given.images, tuple(given.split), grounded=grounded, limit=given.limit)
    build(given.out, source, options(given), task=AOKVQA)
    tell(given.out)


def _by_split(words: Sequence[str], splits: Sequence[str]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for word in words:
        split, equals, file = word.partition("=")
        if not (equals and file) or split not in splits or split in files:
            raise UserError(f"--grounded {word}: expected SPLIT=FILE, once for each of {', '.join(splits)}")
        files[split] = user_path(file)
    return files
