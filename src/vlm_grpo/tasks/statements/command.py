"""What the commands of Rel3D and SpatialSense share: their options, and what they tell of the data set."""

import argparse
from pathlib import Path
from typing import Any, get_args

from vlm_grpo.errors import UserError
from vlm_grpo.option_types import share, whole
from vlm_grpo.paths import user_path
from vlm_grpo.tasks.statements.build import DROPPED, STUDY_PREDICATES, Options, Preparation
from vlm_grpo.tasks.statements.wording import Wording

STUDY = "study"


def add_common(parser: argparse.ArgumentParser) -> None:
    """The options of both."""
    parser.add_argument("--out", type=user_path, required=True, help="folder of the data set")
    parser.add_argument(
        "--preparation", choices=get_args(Preparation), default="clean", help="clean (default), or the study's own"
    )
    parser.add_argument(
        "--wording",
        choices=get_args(Wording),
        help="of the problems: a sentence (default), or the study's, which its preparation has by default",
    )
    parser.add_argument(
        "--predicates",
        nargs="+",
        metavar="NAME",
        help="those to take (default: all); study: the nine of SpatialSense, of which Rel3D has seven",
    )
    parser.add_argument(
        "--limit", type=whole("--limit", least=1), metavar="N", help="only the first N statements of each split"
    )
    parser.add_argument(
        "--max-dropped", type=share("--max-dropped"), default=0.0, metavar="SHARE", help="of a split (default 0)"
    )


def options_of(given: argparse.Namespace, *, panels: bool = False) -> Options:
    """What the command line asks for."""
    names = given.predicates
    if names is not None and STUDY in names and len(names) > 1:
        raise UserError("--predicates study stands for a whole list; give study alone, or names alone")
    return Options(
        preparation=given.preparation,
        wording=given.wording or ("study" if given.preparation == "study" else "sentence"),
        panels=panels,
        predicates=None if names is None else STUDY_PREDICATES if names == [STUDY] else tuple(names),
        limit=given.limit,
        max_dropped=given.max_dropped,
    )


def tell(out: Path, built: dict[str, Any]) -> None:
    """Say what the data set in `out` holds, from its manifest."""
    for split, rows in built["counts"].items():
        balance = built["balance"][split]
        holds = sum(counts["true"] for counts in balance.values())
        pairs = built.get("pairs", {}).get(split)
        told = f", {pairs['pairs']} pairs and {pairs['unpaired']} rows alone" if pairs else ""
        print(
            f"{split}: {rows} statements ({holds} true) of {len(balance)} predicates about {built['images'][split]} "
            f"pictures{told}"
        )
    shared = ", ".join(f"{pair} {count}" for pair, count in built["shared_pictures"].items() if count)
    print(f"pictures in two splits: {shared or 'none'}")
    if built["dropped"]:
        print(f"left out {len(built['dropped'])}; the reasons are in {out / DROPPED}")
    print(f"data set: {out}")
