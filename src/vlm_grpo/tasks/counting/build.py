"""Build a data set of `counting` from records of others: JSONL files beside a folder of pictures.

    python -m vlm_grpo.tasks.counting.build --out data/counting --images FOLDER --jsonl train=a.jsonl test=b.jsonl

A record names its picture (`image` or `image_path`; only the file's name counts), its question (`problem` or
`question`) and its answer (`solution`, `ground_truth` or `answer`), as those of R1-V and of Super-CLEVR's counting test
do; an `id` and further columns are kept. A record whose picture is not in the folder is left out and listed with its
reason in OUT/dropped.jsonl; --max-dropped says how large a share of a split that may be.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.option_types import share
from vlm_grpo.paths import user_path
from vlm_grpo.rows import dataset
from vlm_grpo.rows.links import bring
from vlm_grpo.rows.pictures import check_files
from vlm_grpo.rows.records import FIELDS, Row, check_unique, parse_row
from vlm_grpo.store import jsonl, manifest
from vlm_grpo.store.lock import only_writer
from vlm_grpo.store.provenance import file_hash
from vlm_grpo.tasks.counting.task import NAME
from vlm_grpo.tasks.registry import check_solutions

PICTURE, QUESTION, ANSWER = ("image", "image_path"), ("problem", "question"), ("solution", "ground_truth", "answer")
DROPPED = "dropped.jsonl"


@exits_cleanly
def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; see the module's docstring or `--help`."""
    parser = argparse.ArgumentParser(
        prog="python -m vlm_grpo.tasks.counting.build",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=user_path, required=True, help="folder of the data set")
    parser.add_argument("--images", type=user_path, required=True, metavar="FOLDER", help="where the pictures are")
    parser.add_argument("--jsonl", nargs="+", required=True, metavar="SPLIT=FILE", help="the records of each split")
    parser.add_argument(
        "--max-dropped", type=share("--max-dropped"), default=0.0, metavar="SHARE", help="of a split (default 0)"
    )
    given = parser.parse_args(arguments)
    build(given.out, files=_files(given.jsonl), images=given.images, max_dropped=given.max_dropped)
    counts = manifest.read(given.out, kind=dataset.KIND)["counts"]
    print(f"{given.out}: " + ", ".join(f"{rows} {split}" for split, rows in counts.items()))


def build(out: Path, *, files: Mapping[str, Path], images: Path, max_dropped: float = 0.0) -> None:
    """Write the records of `files`, by split, and links to their pictures under `images`, to `out`."""
    started = time.monotonic()
    splits: dict[str, list[Row]] = {}
    dropped: list[dict[str, Any]] = []
    named: dict[str, str] = {}
    for split, file in files.items():
        rows = []
        for number, record in jsonl.read_input(file):
            row = read_row(record, split, where=f"{file} line {number}")
            picture = _column(record, PICTURE, f"{file} line {number}")
            other = named.setdefault(row.images[0], picture)
            if other != picture:
                raise UserError(
                    f"{file} line {number}: {picture} and {other} have one name, and only the name counts; give "
                    "pictures names of their own"
                )
            rows.append(row)
        check_unique(rows, where=str(file))
        check_solutions(rows, where=str(file))
        splits[split] = [row for row in rows if (images / Path(row.images[0]).name).is_file()]
        kept = {row.id for row in splits[split]}
        dropped += [
            {"split": split, "id": row.id, "reason": f"no picture {Path(row.images[0]).name} in {images}"}
            for row in rows
            if row.id not in kept
        ]
        lost = len(rows) - len(kept)
        if not kept or lost > max_dropped * len(rows):
            reason = dropped[-1]["reason"] if lost else "it holds no record"
            raise UserError(
                f"{file}: {lost} of {len(rows)} records cannot be used ({reason}); mend them, or allow more with "
                "--max-dropped"
            )
    hashes = {split: file_hash(file) for split, file in files.items()}
    manifest.claim(out, {"kind": dataset.KIND, "task": NAME, "sha256": hashes})
    with only_writer(out, doing="building"):
        places = {name: images / Path(name).name for rows in splits.values() for row in rows for name in row.images}
        check_files(places.values())
        pictures = bring({out / name: picture for name, picture in places.items()})
        jsonl.write(out / DROPPED, dropped)
        dataset.save(
            out,
            splits,
            source={"name": "local files", "sha256": hashes},
            config={"images": str(images), "max_dropped": max_dropped},
            seconds=time.monotonic() - started,
            dropped=dropped,
            pictures=pictures,
        )


def read_row(record: Mapping[str, Any], split: str, *, where: str) -> Row:
    """The row of one record; `UserError` opened by `where` for a column that is missing or of another type."""
    picture, question, answer = (_column(record, names, where) for names in (PICTURE, QUESTION, ANSWER))
    if not isinstance(picture, str) or not Path(picture).name:
        raise UserError(f"{where}: the picture {picture!r} is no file name")
    if isinstance(answer, bool | float):
        raise UserError(f"{where}: the answer {answer!r} is no whole number")
    others = {name: value for name, value in record.items() if name not in (*FIELDS, *PICTURE, *QUESTION, *ANSWER)}
    flat = {
        "id": str(record.get("id", f"{NAME}-{split}-{where.rpartition(' ')[2]}")),
        "images": (f"images/{Path(picture).name}",),
        "problem": question,
        "solution": str(answer),
        "task": NAME,
        **others,
    }
    return parse_row(flat, where=where)


def _column(record: Mapping[str, Any], names: Sequence[str], where: str) -> Any:
    for name in names:
        if record.get(name) is not None:
            return record[name]
    raise UserError(f"{where}: column {' or '.join(map(repr, names))} is missing")


def _files(words: Sequence[str]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for word in words:
        split, equals, file = word.partition("=")
        if not (split and equals and file) or split in files:
            raise UserError(f"--jsonl {word}: expected SPLIT=FILE, each split once")
        files[split] = user_path(file)
    return files


if __name__ == "__main__":
    main()
