"""Which files of own data, where their pictures are, and how their answers are scored: lists joined by `:`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vlm_grpo.errors import UserError
from vlm_grpo.paths import expand_home
from vlm_grpo.tasks.jsonl import methods

_ELEMENT = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]+://[^/:]*(?::\d+(?![^/:]))?|[A-Za-z]:(?=[\\/]))?[^:]*")
"""Up to the next `:` that parts two elements: not one behind a drive's letter, in `://`, or before a port."""
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


@dataclass(frozen=True)
class Source:
    """A `file` of records, the `folder` that their pictures' paths start from, and the file's `method`.

    An empty folder leaves the paths as they are.
    """

    file: Path
    folder: str
    method: str


def split_list(text: str) -> list[str]:
    """The elements of `text`, which `:` joins; empty ones too.

    >>> split_list(r"C:\\data\\a.jsonl:s3://bucket/b.jsonl:http://host:80/c.jsonl:d")
    ['C:\\\\data\\\\a.jsonl', 's3://bucket/b.jsonl', 'http://host:80/c.jsonl', 'd']
    """
    elements, at = [], 0
    while True:
        match = _ELEMENT.match(text, at)
        assert match is not None, "the pattern matches nothing too"
        elements.append(match[0])
        at = match.end() + 1
        if match.end() >= len(text):
            return elements


def is_address(path: str) -> bool:
    """Whether `path` is a URL or a place in a bucket, and no file of this machine."""
    return _ADDRESS.match(path) is not None


def pair(files: str, folders: str | None, reward_methods: str | None) -> list[Source]:
    """The sources that the three lists name, paired by position.

    Without `folders` the pictures' paths start from each file's own folder; without `reward_methods` every file has
    `default`. `UserError` for lists of different lengths, an unknown method, and what lies on no disk.
    """
    paths = split_list(files)
    if not all(paths):
        raise UserError(f"--data_file_paths {files!r} has an empty element; give the files with one : between them")
    for path in [*paths, *split_list(folders or "")]:
        if is_address(path):
            raise UserError(f"{path} is an address, and own data are read from disk; fetch it first")
    starts = [str(Path(path).parent) for path in paths] if folders is None else split_list(folders)
    named = [methods.DEFAULT] * len(paths) if reward_methods is None else split_list(reward_methods)
    _check_count("--image_folders", starts, paths)
    _check_count("--reward_method", named, paths)
    return [
        Source(Path(expand_home(path)), expand_home(start), methods.check(name))
        for path, start, name in zip(paths, starts, named, strict=True)
    ]


def _check_count(option: str, values: Sequence[str], paths: Sequence[str]) -> None:
    if len(values) != len(paths):
        raise UserError(
            f"{option} has {len(values)} elements and --data_file_paths {len(paths)}; give one a file, joined by :"
        )
