"""Turn COCO 2014's instance masks into a data set of `masks`, and into the README's train.jsonl and val.jsonl.

    python -m vlm_grpo.tasks.masks --output_dir data/masks                       (20 GB of pictures, 500,000 objects)
    python -m vlm_grpo.tasks.masks --output_dir data/masks --limit 2000          (their pictures alone)
    python -m vlm_grpo.tasks.masks --output_dir data/fourier --coco data/masks --skip-download --codec fourier8

Downloads go on where they were stopped and are checked by size and MD5. Crowds, empty masks and objects of few pixels
are left out, listed with the reason in OUT/dropped.jsonl and counted in the manifest, which also tells how much of the
masks each codec keeps. An object that is not the only one of its kind in its picture is asked for by a box.
"""

import argparse
from collections.abc import Sequence
from typing import get_args

from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.option_types import whole
from vlm_grpo.paths import user_path
from vlm_grpo.tasks.coco.options import add_options, source_of
from vlm_grpo.tasks.masks.build import Choice, build
from vlm_grpo.tasks.masks.codecs import CODECS, TERMS
from vlm_grpo.tasks.masks.policies import Holes, Parts, Policy
from vlm_grpo.tasks.masks.questions import QUESTIONS, read_expressions


@exits_cleanly
def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; see the module's docstring or `--help`."""
    given = parser().parse_args(arguments)
    if (given.question == "expression") != (given.expressions is not None):
        raise UserError("--question expression and --expressions FILE go together")
    choice = Choice(
        codec=given.codec,
        question=given.question,
        policy=Policy(min_area=given.min_area, parts=given.parts, holes=given.holes, crowds=given.keep_crowds),
        expressions=read_expressions(given.expressions) if given.expressions else {},
    )
    written = build(given.output_dir, source_of(given), choice)
    for name, rows in written["counts"].items():
        print(f"{name}: {rows} rows, {written['images'][name]} pictures")
    for split, counts in written["dropped_by_kind"].items():
        print(f"{split} left out: " + ", ".join(f"{count} {kind}" for kind, count in counts.items()))
    for split, of_split in written["round_trip"].items():
        kept = ", ".join(f"{codec} {figures['mean']:.3f}" for codec, figures in of_split["sample"].items())
        print(f"{split} round trip, mean IoU: {of_split['codec']} {of_split['all']['mean']:.3f}; of a sample {kept}")
    print(f"data set: {given.output_dir}")


def parser() -> argparse.ArgumentParser:
    """Every option, with what it does and its default."""
    made = argparse.ArgumentParser(
        prog="python -m vlm_grpo.tasks.masks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_options(made)
    made.add_argument("--codec", choices=list(CODECS), default=Choice.codec, help="how a mask is written (%(default)s)")
    made.add_argument("--order", type=_order, help="the original's name for the number of terms, which is 8")
    made.add_argument(
        "--question", choices=QUESTIONS, default=Choice.question, help="what names an object (%(default)s)"
    )
    made.add_argument("--expressions", type=user_path, metavar="FILE.jsonl", help="lines with ann_id and expression")
    made.add_argument(
        *("--min-area", "--min_area"),
        type=whole("--min-area"),
        default=Policy.min_area,
        metavar="PIXELS",
        help="leave out smaller objects (%(default)s)",
    )
    made.add_argument("--parts", choices=get_args(Parts), default=Policy.parts, help="of masks in parts (%(default)s)")
    made.add_argument(
        "--holes", choices=get_args(Holes), default=Policy.holes, help="of masks with holes (%(default)s)"
    )
    made.add_argument("--keep-crowds", action="store_true", help="take crowd regions for objects, as the original does")
    return made


def _order(text: str) -> int:
    if text != str(TERMS):
        raise UserError(
            f"--order {text}: cosine8 has {TERMS} terms; for more of the shape use --codec fourier8 or polygon"
        )
    return TERMS
