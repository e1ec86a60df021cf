"""Own data named on the command line of a training or an evaluation: built once, and used as its `--data`.

The folder is DATA_PATH/jsonl/CONTENT, so the same flags find the same data set again, in every process and every
command; of several processes that start together one builds, and the others wait for it.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from vlm_grpo.errors import UserError
from vlm_grpo.paths import expand_word
from vlm_grpo.tasks.jsonl.build import TRAIN, build, content
from vlm_grpo.tasks.jsonl.command import data_options, open_own, options

FILES = "--data_file_paths"


def settle(argv: Sequence[str] | None, *, whole: bool = False) -> list[str]:
    """The words of a command (`argv`, or the process's) with own data's flags replaced by `--data`.

    `whole`: where no rows are held out, the command answers all of them, its split being named so. A dry run builds
    nothing. `UserError` for flags of own data without the files, and beside `--data`.
    """
    words = [expand_word(word) for word in (sys.argv[1:] if argv is None else argv)]
    given, others = data_options(is_needed=False).parse_known_args(words)
    if given.data_file_paths is None:
        if len(others) < len(words):
            flag = next(word for word in words if word not in others)
            raise UserError(f"{flag} has no effect without {FILES}, the files of own records")
        return words
    if _has(others, "data"):
        raise UserError(f"--data and {FILES} both say what the data are; leave one out")
    own, asked = open_own(given), options(given)
    folder = Path(os.environ.get("DATA_PATH") or "data") / "jsonl" / content(own, asked)[:16]
    if not _has(others, "dry-run"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{folder.name}.lock")):
            if build(folder, own, asked):
                print(f"data set of own records: {folder}", file=sys.stderr, flush=True)
    split = ["--split", TRAIN] if whole and not asked.val_split_ratio and not _has(others, "split") else []
    return [*others, "--data", str(folder), *split]


def _has(words: Sequence[str], option: str) -> bool:
    return any(word.split("=")[0] == f"--{option}" for word in words)
