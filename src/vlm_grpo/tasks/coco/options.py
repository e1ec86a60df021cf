"""The options that every builder on COCO has, and what they select: splits, categories, how many, from where."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlm_grpo.option_types import whole
from vlm_grpo.paths import user_path
from vlm_grpo.ranges import check_name
from vlm_grpo.rows.download import Policy
from vlm_grpo.store.provenance import file_hash
from vlm_grpo.tasks.coco import files, instances
from vlm_grpo.tasks.coco.instances import Instances, Picture


@dataclass(frozen=True, kw_only=True)
class Source:
    """Which part of COCO is built, and where its files are.

    Attributes:
        folder: COCO's files, in the layout of its archives.
        splits: of `files.SPLITS`.
        limit: rows of each split; None: all.
        categories: names of those to build; empty: all.
        may_fetch: whether what is missing is downloaded.
        host: whence.
        policy: how hard to try.
    """

    folder: Path
    splits: tuple[str, ...] = tuple(files.SPLITS)
    limit: int | None = None
    categories: tuple[str, ...] = ()
    may_fetch: bool = True
    host: str = files.HOST
    policy: Policy = field(default_factory=Policy)

    def have_annotations(self) -> dict[str, str]:
        """Have the instances files; SHA-256 of each by split."""
        files.have_annotations(self.folder, self.splits, may_fetch=self.may_fetch, host=self.host)
        return {split: file_hash(files.instances_file(self.folder, split)) for split in self.splits}

    def read(self, split: str) -> Instances:
        """The pictures and objects of `split`, of every category."""
        read = instances.read(files.instances_file(self.folder, split))
        for name in self.categories:
            check_name("category", name, read.categories)
        return read

    def asked(self, read: Instances) -> tuple[str, ...]:
        """The categories that are built, in the file's order."""
        return tuple(name for name in read.categories if not self.categories or name in self.categories)

    def have_pictures(self, pictures: Sequence[Picture], split: str) -> dict[str, str]:
        """Have `pictures`: one by one where rows are limited, else by the archive; by place, why one cannot be had."""
        if not self.may_fetch:
            return files.absent(self.folder, pictures, split)
        return files.have_pictures(
            self.folder,
            pictures,
            split,
            one_by_one=self.limit is not None,
            policy=self.policy,
            host=self.host,
        )


def add_options(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options of a `Source`, and the output folder."""
    parser.add_argument("--output_dir", "--out", type=user_path, required=True, help="folder of the data set")
    parser.add_argument(
        "--coco", type=user_path, metavar="DIR", help="where COCO's files are or go (default: as --out)"
    )
    parser.add_argument(
        "--split", nargs="+", choices=list(files.SPLITS), default=list(files.SPLITS), help="default all"
    )
    parser.add_argument(
        "--limit",
        type=whole("--limit", least=1),
        metavar="N",
        help="only the first N rows of each split; their pictures are fetched one by one, without the large archives",
    )
    parser.add_argument("--categories", nargs="+", default=[], metavar="NAME", help="only these (default all)")
    parser.add_argument(
        *("--skip-download", "--skip_download"), action="store_true", help="fetch nothing: COCO's files are there"
    )
    parser.add_argument("--host", default=files.HOST, metavar="URL", help="a mirror of %(default)s")


def source_of(given: argparse.Namespace) -> Source:
    """The source that the options name."""
    return Source(
        folder=given.coco or given.output_dir,
        splits=tuple(dict.fromkeys(given.split)),
        limit=given.limit,
        categories=tuple(given.categories),
        may_fetch=not given.skip_download,
        host=given.host.rstrip("/"),
    )


def counted(reasons: Sequence[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """How many rows were dropped, by split and by `kind`."""
    counts: dict[str, dict[str, int]] = {}
    for entry in reasons:
        of_split = counts.setdefault(entry["split"], {})
        of_split[entry["kind"]] = of_split.get(entry["kind"], 0) + 1
    return counts
