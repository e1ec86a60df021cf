"""Read VSR's captions: JSONL files in the format of the hub's `cambridgeltl/vsr_zeroshot`, one line per caption.

Each line has `image` (a file name), `image_link` (its address), `caption`, `label` (0 or 1), `relation`, `subj`, `obj`
and perhaps an `id`; other columns (annotators, votes) are passed over. Pictures are left to `datasets.download`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from vlm_grpo.errors import UserError
from vlm_grpo.rows import hub
from vlm_grpo.rows.records import first_fault
from vlm_grpo.store import jsonl, provenance

HUB_ID = "cambridgeltl/vsr_zeroshot"
FILES = {"train": ("train.jsonl",), "validation": ("dev.jsonl", "validation.jsonl"), "test": ("test.jsonl",)}
SPLITS = tuple(FILES)
LONGEST_NAME = 240
"""Bytes that file systems take for a name, with room for that of a file under way."""
STUDY = {
    "train": "6f42754482726219128ef39f2a5dd3d69830a244c477d6a490612244cc783a0a",
    "validation": "61a4eb76542bf0c7322ef8188f7ef3b51e1bc7944548f17d2f4b1041c2b45875",
    "test": "2c1bf748323d7225a9e82de02aecb2b8a53e020ca3e9b4881cb3abae9d69268b",
}
"""`caption_hash` of the splits that the study used: 3489, 340 and 1222 captions."""


class Caption(BaseModel):
    """One line of the source. `id` is `vsr-<split>-<line, from 0>` unless the line brings its own."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    id: str = Field(min_length=1)
    image: str
    image_link: str = Field(min_length=1)
    caption: str = Field(min_length=1)
    label: Literal[0, 1]
    relation: str = Field(min_length=1)
    subj: str = Field(min_length=1)
    obj: str = Field(min_length=1)

    @field_validator("image")
    @classmethod
    def _plain_name(cls, value: str) -> str:
        if not value or value.startswith(".") or "/" in value or "\0" in value:
            raise ValueError("expected a plain file name")
        if len(value.encode()) > LONGEST_NAME:
            raise ValueError(f"expected a file name of at most {LONGEST_NAME} bytes")
        return value

    @field_validator("image_link")
    @classmethod
    def _address(cls, value: str) -> str:
        urlsplit(value)
        return value


@dataclass(frozen=True)
class CaptionSource:
    """Captions by split; `name`, `revision` (of a hub) and `hashes` (SHA-256 of each split's file) say whence."""

    name: str
    revision: str | None
    hashes: dict[str, str]
    captions: dict[str, list[Caption]]

    def described(self) -> dict[str, Any]:
        """What the manifest tells: also whether a split holds the captions of the study."""
        study = {split: caption_hash(captions) == STUDY[split] for split, captions in self.captions.items()}
        return {"name": self.name, "revision": self.revision, "sha256": self.hashes, "captions_of_the_study": study}


def from_files(files: dict[str, Path]) -> CaptionSource:
    """The captions of local files by split."""
    return _read("local files", None, files)


def from_folder(folder: Path, splits: tuple[str, ...] = SPLITS) -> CaptionSource:
    """The captions of `train.jsonl`, `dev.jsonl` (or `validation.jsonl`) and `test.jsonl` in `folder`."""
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder; give one with {', '.join(FILES[split][0] for split in splits)}")
    files = {}
    for split in splits:
        present = [folder / name for name in FILES[split] if (folder / name).exists()]
        if len(present) != 1:
            raise UserError(f"{folder} must have one file {' or '.join(FILES[split])} for split {split!r}")
        files[split] = present[0]
    return from_files(files)


def from_hub(repository: str = HUB_ID, revision: str | None = None, splits: tuple[str, ...] = SPLITS) -> CaptionSource:
    """The captions of a data set on the hub; `revision` (a branch, tag or commit) is resolved to its commit."""
    files, commit = hub.fetch(repository, [FILES[split][0] for split in splits], revision=revision, instead="--jsonl")
    return _read(repository, commit, dict(zip(splits, files, strict=True)))


def read_captions(path: Path, split: str) -> list[Caption]:
    """The captions of one file; `UserError` names the line that is damaged, or whose id occurred before."""
    captions = []
    lines: dict[str, int] = {}
    for number, record in jsonl.read_input(path):
        try:
            caption = Caption.model_validate({"id": f"vsr-{split}-{number - 1:04d}", **record})
        except ValidationError as error:
            raise UserError(f"{path} line {number}: {first_fault(error)}") from None
        if caption.id in lines:
            raise UserError(f"{path} line {number}: id {caption.id!r} is that of line {lines[caption.id]} too")
        lines[caption.id] = number
        captions.append(caption)
    if not captions:
        raise UserError(f"{path} holds no captions; split {split!r} would be empty")
    return captions


def caption_hash(captions: list[Caption]) -> str:
    """SHA-256 over picture, caption and label of all lines, in any order."""
    return provenance.text_hash("\n".join(sorted(f"{c.image}\t{c.caption}\t{c.label}" for c in captions)))


def _read(name: str, revision: str | None, files: dict[str, Path]) -> CaptionSource:
    captions = {split: read_captions(path, split) for split, path in files.items()}
    hashes = {split: provenance.file_hash(path) for split, path in files.items()}
    return CaptionSource(name=name, revision=revision, hashes=hashes, captions=captions)
