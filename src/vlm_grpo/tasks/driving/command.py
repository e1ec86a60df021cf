"""Build a data set of DrivingVQA: an exam's questions about pictures, with several right options and named boxes.

    python -m vlm_grpo.tasks.driving --out data/driving                                 from the hub
    python -m vlm_grpo.tasks.driving --out data/driving --folder DrivingVQA             train.json, test.json, images/
    python -m vlm_grpo.tasks.driving --out data/driving --as-the-study --boxes original

A row asks for the letters of all right options; an item with two questions stays one row, as the exam counts it. With
--boxes bbox (the default) the reasoning is asked for, and taught, with boxes `[x1,y1,x2,y2 name]` in the model's own
frame; with original it is neither. Explanations are there in both forms. --as-the-study leaves out items with two
questions and pictures of more than 3,686,400 pixels, and parts train with seed 42 into the first 1,000 rows (`sft`) and
the others (`grpo`). What cannot be used is listed with its reason and stops the build unless --max-dropped allows it.
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.option_types import seed, share, whole
from vlm_grpo.paths import user_path
from vlm_grpo.rows import dataset
from vlm_grpo.store import manifest
from vlm_grpo.tasks.driving import source
from vlm_grpo.tasks.driving.build import COUNTS, DROPPED, Options, build
from vlm_grpo.tasks.driving.columns import NAME, BoxWording

STUDY_PIXELS, STUDY_SFT_ROWS = 3_686_400, 1000


@exits_cleanly
def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; see the module's docstring or `--help`."""
    made = argparse.ArgumentParser(
        prog="python -m vlm_grpo.tasks.driving",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common()],
    )
    made.add_argument(
        "--folder", type=user_path, help="take train.json, test.json and images/ from here (default: from the hub)"
    )
    made.add_argument("--hub-id", default=source.HUB_ID, help="data set on the hub (default %(default)s)")
    made.add_argument("--revision", help="its branch, tag or commit; the manifest keeps the commit (default: main)")
    made.add_argument("--split", nargs="+", choices=source.SPLITS, help="splits to build (default: all)")
    given = made.parse_args(arguments)
    splits = tuple(given.split or source.SPLITS)
    if given.folder is not None:
        if given.revision is not None:
            raise UserError("--revision has no effect with --folder; leave it out")
        build(given.out, source.from_folder(given.folder, splits, limit=given.limit), options(given), task=NAME)
    else:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=given.out.parent, prefix=f".{given.out.name}.") as scratch:
            hub = source.from_hub(given.hub_id, given.revision, splits, scratch=Path(scratch), limit=given.limit)
            build(given.out, hub, options(given), task=NAME)
    tell(given.out)


def common() -> argparse.ArgumentParser:
    """The options of every builder of such rows."""
    made = argparse.ArgumentParser(add_help=False)
    made.add_argument("--out", type=user_path, required=True, help="folder of the data set")
    made.add_argument("--limit", type=whole("--limit", least=1), metavar="N", help="only the first N of each split")
    made.add_argument(
        "--boxes", choices=get_args(BoxWording), default="bbox", help="of the reasoning (default %(default)s)"
    )
    made.add_argument("--one-question", action="store_true", help="leave out items with two questions")
    made.add_argument(
        "--max-pixels", type=whole("--max-pixels", least=1), metavar="N", help="leave out larger pictures"
    )
    made.add_argument("--only-explained", action="store_true", help="leave out of train what SFT could not teach")
    made.add_argument(
        "--sft-rows", type=whole("--sft-rows", least=1), metavar="N", help="part train into sft (N rows) and grpo"
    )
    made.add_argument("--seed", type=seed("--seed"), default=42, help="of that shuffle (default %(default)s)")
    made.add_argument("--as-the-study", action="store_true", help="the three filters with the study's values")
    made.add_argument(
        "--max-dropped", type=share("--max-dropped"), default=0.0, metavar="SHARE", help="of a split (default 0)"
    )
    return made


def options(given: argparse.Namespace) -> Options:
    """The options that `common` reads."""
    chosen = Options(
        boxes=given.boxes,
        one_question=given.one_question,
        only_explained=given.only_explained,
        max_pixels=given.max_pixels,
        sft_rows=given.sft_rows,
        seed=given.seed,
        max_dropped=given.max_dropped,
    )
    if not given.as_the_study:
        return chosen
    return replace(
        chosen,
        one_question=True,
        max_pixels=chosen.max_pixels or STUDY_PIXELS,
        sft_rows=chosen.sft_rows or STUDY_SFT_ROWS,
    )


def tell(out: Path) -> None:
    """Say what the data set in `out` holds."""
    built = manifest.read(out, kind=dataset.KIND)
    for split, rows in built["counts"].items():
        counted = ", ".join(f"{name.replace('_', ' ')} {built[name][split]}" for name in COUNTS)
        print(f"{split}: {rows} rows about {built['images'][split]} pictures; {counted}")
    for pair, count in built["shared_images"].items():
        if count:
            print(f"{pair}: {count} pictures in both")
    for reason, count in built["boxes_left_out"].items():
        print(f"boxes left out, {reason}: {count}")
    if built["dropped"]:
        print(f"left out {len(built['dropped'])}; the reasons are in {out / DROPPED}")
    print(f"data set: {out}")
