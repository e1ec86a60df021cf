"""What a builder reads, whatever it reads it from: examples, what was left out of them, and where they come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlm_grpo.errors import UserError
from vlm_grpo.paths import user_path
from vlm_grpo.store.provenance import file_hash
from vlm_grpo.tasks.rec.example import Example


@dataclass(frozen=True)
class Named:
    """A file of one split, and the set that it belongs to, if it is called something."""

    set: str | None
    split: str
    path: Path

    @property
    def label(self) -> str:
        """What opens the ids of its examples."""
        return f"{self.set}-{self.split}" if self.set else self.split

    @property
    def named(self) -> str:
        """What it is called in the manifest."""
        return f"{self.label} {self.path.name}"

    @classmethod
    def of(cls, words: Sequence[str], *, option: str) -> "list[Named]":
        """The files of `words`, each `SPLIT=FILE` or `SET/SPLIT=FILE`; `UserError` for another form."""
        files = []
        for word in words:
            named, equals, file = word.partition("=")
            name, slash, split = named.rpartition("/")
            if not (equals and file and split) or (slash and not name):
                raise UserError(f"{option} {word}: expected SPLIT=FILE or SET/SPLIT=FILE, such as refcoco/val=FILE")
            files.append(cls(name or None, split, user_path(file)))
        return files


@dataclass(frozen=True)
class Source:
    """What was read.

    Attributes:
        name: of its form.
        hashes: SHA-256 of each file, by what it is.
        examples: in order.
        dropped: records that are none, as `{split, id, reason}`.
        config: what else decided what was read.
    """

    name: str
    hashes: Mapping[str, str]
    examples: list[Example]
    dropped: list[dict[str, Any]]
    config: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        name: str,
        files: Mapping[str, Path],
        examples: list[Example],
        left_out: list[dict[str, Any]],
        *,
        config: Mapping[str, Any],
    ) -> "Source":
        """The source of `files`, by what each of them is."""
        return cls(name, {label: file_hash(path) for label, path in files.items()}, examples, left_out, config)


def dropped(split: str, id: str, reason: str) -> dict[str, Any]:
    """One entry of what is left out."""
    return {"split": split, "id": id, "reason": reason}
