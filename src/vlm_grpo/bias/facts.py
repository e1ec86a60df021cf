"""Compact facts of the study's data set, so that the levels can be computed without captions, pictures or network.

`results/paper/vsr_facts.tsv.gz` has one line a row of VSR zero-shot, in the original's order: id, split, picture's file
name, relation, subject, object, label. It is made from the captions, which stay where they are:

    python -m vlm_grpo.bias.facts --jsonl FOLDER              (train.jsonl, dev.jsonl, test.jsonl)

The same captions give the same bytes.
"""

import argparse
import csv
import gzip
import io
import zlib
from pathlib import Path

from vlm_grpo.bias.cases import Case
from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.paper.published import PAPER
from vlm_grpo.paths import user_path
from vlm_grpo.store import atomic

FILE = "vsr_facts.tsv.gz"
COLUMNS = ("id", "split", "image", "relation", "subj", "obj", "label")
LABELS = {"0": False, "1": True}


def read(path: Path) -> dict[str, list[Case]]:
    """The cases of each split, in the original's order; `UserError` naming a line that is not as expected."""
    if not path.is_file():
        raise UserError(f"{path} is missing; run from a checkout of the repository, or make it with bias.facts --jsonl")
    try:
        text = gzip.decompress(path.read_bytes()).decode()
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise UserError(f"{path} is damaged ({error}); make it again with bias.facts --jsonl") from None
    lines = csv.reader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE)
    if tuple(next(lines, ())) != COLUMNS:
        raise UserError(f"{path} line 1: expected the columns {', '.join(COLUMNS)}; make it again with bias.facts")
    splits: dict[str, list[Case]] = {}
    for number, line in enumerate(lines, start=2):
        if len(line) != len(COLUMNS) or not all(line):
            raise UserError(f"{path} line {number}: expected {len(COLUMNS)} values, none of them empty; make it again")
        fact = dict(zip(COLUMNS, line, strict=True))
        if fact["label"] not in LABELS:
            raise UserError(f"{path} line {number}: label {fact['label']!r} is neither 0 nor 1; make it again")
        case = Case(fact["id"], fact["relation"], LABELS[fact["label"]], fact["image"])
        splits.setdefault(fact["split"], []).append(case)
    return splits


def write(folder: Path, path: Path) -> int:
    """Write the facts of the captions in `folder` to `path`; how many rows there are."""
    from vlm_grpo.tasks.vsr.captions import from_folder  # needs the hub's client, which reading facts does not

    captions = [(split, caption) for split, of_split in from_folder(folder).captions.items() for caption in of_split]
    lines = ["\t".join(COLUMNS)]
    for split, c in captions:
        values = (c.id, split, c.image, c.relation, c.subj, c.obj, str(c.label))
        if any(sign in value for value in values for sign in "\t\r\n"):
            raise UserError(f"{folder}: caption {c.id!r} has a tab or a line break in a column; mend that line")
        lines.append("\t".join(values))
    atomic.write_bytes(path, gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0))
    return len(captions)


@exits_cleanly
def main(arguments: list[str] | None = None) -> None:
    """Make the facts from the captions."""
    parser = argparse.ArgumentParser(
        prog="python -m vlm_grpo.bias.facts",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--jsonl", type=user_path, required=True, metavar="FOLDER", help="train.jsonl, dev.jsonl, test.jsonl"
    )
    parser.add_argument("--out", type=user_path, default=PAPER / FILE, metavar="FILE", help="default: the kept file")
    given = parser.parse_args(arguments)
    print(f"{write(given.jsonl, given.out)} rows: {given.out}")


if __name__ == "__main__":
    main()
