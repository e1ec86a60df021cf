"""The words that messages are made of: the package's list, or the user's.

`words/english.txt` holds 12,000 common English words, the most frequent first (`words/LICENSE.md` says whence).
"""

from importlib.resources import as_file, files
from pathlib import Path

from vlm_grpo import text_files
from vlm_grpo.errors import UserError
from vlm_grpo.store.provenance import text_hash
from vlm_grpo.tasks.cryptogram.cipher import ALPHABET

LIST = "english"
SHORTEST = 3
"""Letters of the shortest word that is taken."""
MOST = 10_000
"""How many words are taken, from the top of the list."""


def load(file: Path | None, *, count: int = MOST) -> list[str]:
    """The first `count` words of at least `SHORTEST` letters of `file`, one a line; of the package's list for None.

    `UserError` for what is no word of letters a to z, or stands there twice.
    """
    if file is None:
        with as_file(files("vlm_grpo.tasks.cryptogram") / f"words/{LIST}.txt") as shipped:
            return _read(shipped)[:count]
    return _read(file)[:count]


def _read(file: Path) -> list[str]:
    words: dict[str, int] = {}
    for number, line in enumerate(text_files.read_lines(file), start=1):
        word = line.strip().lower()
        if not word:
            continue
        if not set(word) <= set(ALPHABET):
            raise UserError(f"{file} line {number}: {line.strip()!r} is no word of letters a to z; one word a line")
        if word in words:
            raise UserError(f"{file} line {number}: {word!r} stands on line {words[word]} too; remove one")
        words[word] = number
    return [word for word in words if len(word) >= SHORTEST]


def source(file: Path | None, words: list[str]) -> dict[str, str]:
    """Name and revision of the list, for the manifest; the revision is of the words that are taken."""
    return {"name": str(file) if file else LIST, "revision": text_hash("\n".join(words))[:16]}
