"""The command line that builders of embedded data sets share: the folder, the seed, and the rows of each split."""

import argparse
from collections.abc import Mapping

from vlm_grpo.option_types import seed, whole
from vlm_grpo.paths import user_path


def parser_of(module: str, *, description: str | None, rows: Mapping[str, int]) -> argparse.ArgumentParser:
    """The parser of `python -m vlm_grpo.embedded.MODULE`; `rows` are the splits with their default numbers of rows."""
    parser = argparse.ArgumentParser(
        prog=f"python -m vlm_grpo.embedded.{module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=user_path, required=True, help="folder of the data set")
    parser.add_argument("--seed", type=seed("--seed"), default=0)
    for split, default in rows.items():
        read = whole(f"--{split}", least=1)
        parser.add_argument(f"--{split}", type=read, default=default, metavar="N", help=f"rows (default {default})")
    return parser


def rows_of(given: argparse.Namespace, rows: Mapping[str, int]) -> dict[str, int]:
    """How many rows the command line asks for, by split."""
    return {split: getattr(given, split) for split in rows}
