"""Build a data set of `detection` from COCO 2014: every object of some kinds in a picture, with box and label.

    python -m vlm_grpo.tasks.detection --output_dir data/detection                      (20 GB of pictures)
    python -m vlm_grpo.tasks.detection --output_dir data/detection --limit 1000         (their pictures alone)
    python -m vlm_grpo.tasks.detection --output_dir data/dogs --coco data/detection --skip-download --categories dog cat

Downloads go on where they were stopped. What is left out is listed with its reason in OUT/dropped.jsonl and counted in
the manifest: pictures with a crowd, with too many objects, or with nothing to list where enough others have nothing.
"""

import argparse
from collections.abc import Sequence

from vlm_grpo.errors import exits_cleanly
from vlm_grpo.option_types import seed, share, whole
from vlm_grpo.tasks.coco.options import add_options, source_of
from vlm_grpo.tasks.detection.build import Choice, build


@exits_cleanly
def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; see the module's docstring or `--help`."""
    parser = argparse.ArgumentParser(
        prog="python -m vlm_grpo.tasks.detection",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_options(parser)
    parser.add_argument(
        "--max-objects",
        type=whole("--max-objects", least=1),
        default=Choice.most,
        metavar="N",
        help="leave out pictures with more (default %(default)s)",
    )
    parser.add_argument(
        "--negatives",
        type=share("--negatives"),
        default=Choice.negatives,
        metavar="SHARE",
        help="at most this share of the rows has nothing to list (default %(default)s)",
    )
    parser.add_argument("--seed", type=seed("--seed"), default=Choice.seed, help="of their draw (default %(default)s)")
    given = parser.parse_args(arguments)
    choice = Choice(most=given.max_objects, negatives=given.negatives, seed=given.seed)
    written = build(given.output_dir, source_of(given), choice)
    for name, rows in written["counts"].items():
        print(f"{name}: {rows} rows, {written['images'][name]} pictures")
    for split, counts in written["dropped_by_kind"].items():
        print(f"{split} left out: " + ", ".join(f"{count} {kind}" for kind, count in counts.items()))
    print(f"data set: {given.output_dir}")
