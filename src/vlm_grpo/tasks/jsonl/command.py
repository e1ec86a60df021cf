"""Build a data set of own records: JSONL files beside folders of pictures.

    python -m vlm_grpo.tasks.jsonl --data_file_paths a.jsonl:b.jsonl --image_folders x:y --out DIR
    python -m vlm_grpo.tasks.jsonl --data_file_paths a.jsonl --image_folders x --val_split_ratio 0.1 --out DIR
    python -m vlm_grpo.tasks.jsonl --data_file_paths a.jsonl --check-records      (records only; nothing is written)

A record is one line: {"id": 1, "image": "a.png" or ["a.png", "b.png"] or absent, "conversations": [{"from": "human",
"value": "<image>What is it?"}, {"from": "gpt", "value": "a bus"}]}, with "accu_reward_method" where it is scored
otherwise than its file (--reward_method). Pictures stand where the question holds <image>, once for each; without any
they come first. Every record that cannot be used is listed with its line, and stops the build unless --max-dropped
allows for it. Training and evaluation take the same flags in place of --data, and build what they need.
"""

import argparse
from collections.abc import Sequence

from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.option_types import seed, share
from vlm_grpo.paths import user_path
from vlm_grpo.rows import dataset
from vlm_grpo.store import manifest
from vlm_grpo.tasks.jsonl.build import DROPPED, Options, Own, build, read, rows, summary, tell_faults
from vlm_grpo.tasks.jsonl.sources import pair


@exits_cleanly
def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; see the module's docstring or `--help`."""
    parser = argparse.ArgumentParser(
        prog="python -m vlm_grpo.tasks.jsonl",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[data_options()],
    )
    parser.add_argument("--out", type=user_path, help="folder of the data set")
    parser.add_argument("--check-records", action="store_true", help="read the records only, and write nothing")
    given = parser.parse_args(arguments)
    if (given.out is None) != given.check_records:
        raise UserError("give --out, the folder of the data set, or --check-records")
    own = open_own(given)
    if given.check_records:
        tell_faults(own.faults)
        print(summary(rows(own)))
        if own.faults:
            raise UserError(f"{len(own.faults)} of {own.total} records cannot be used; mend them")
        return
    is_new = build(given.out, own, options(given))
    built = manifest.read(given.out, kind=dataset.KIND)
    for split in built["counts"]:
        print(f"{split}: {summary(dataset.load(given.out, split))}")
    if built["dropped"]:
        print(f"left out {len(built['dropped'])} records; the reasons are in {given.out / DROPPED}")
    print(f"data set: {given.out}{'' if is_new else ' (built before)'}")


def data_options(*, is_needed: bool = True) -> argparse.ArgumentParser:
    """The flags that name own data, for this command and for those that build on the fly."""
    made = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    made.add_argument("--data_file_paths", required=is_needed, metavar="A.jsonl:B.jsonl", help="files of records")
    made.add_argument(
        "--image_folders",
        metavar="X:Y",
        help="folders that their pictures' paths start from, one for each file (default: that of the file)",
    )
    made.add_argument("--reward_method", metavar="M:N", help="how answers are scored, for each file (default: default)")
    made.add_argument(
        "--val_split_ratio",
        type=share("--val_split_ratio"),
        default=Options.val_split_ratio,
        metavar="SHARE",
        help="held out as split 'validation', by picture (default 0: none)",
    )
    made.add_argument(
        "--split_seed",
        type=seed("--split_seed"),
        default=Options.split_seed,
        help="of that split (default %(default)s)",
    )
    made.add_argument(
        *("--max-dropped", "--max_dropped"),
        type=share("--max-dropped"),
        default=Options.max_dropped,
        metavar="SHARE",
        help="fail when more than this share of the records cannot be used (default 0)",
    )
    return made


def open_own(given: argparse.Namespace) -> Own:
    """The records that the flags name."""
    return read(pair(given.data_file_paths, given.image_folders, given.reward_method))


def options(given: argparse.Namespace) -> Options:
    """How the flags part them."""
    return Options(given.val_split_ratio, given.split_seed, given.max_dropped)
