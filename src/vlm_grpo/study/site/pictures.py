"""The pictures that the pages show: a small one each in the folder, the whole one in it or linked to where it lies.

Files are named by a hash, whatever the picture is called. A cued picture (`rows.pictures`) is painted, as the model was
shown it. One whose longest side is at most `SMALL` is small and whole at once.
"""

import hashlib
import io
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from PIL import Image

from vlm_grpo.rows.pictures import CUE, open_picture
from vlm_grpo.store import atomic, manifest

FOLDER = "pictures"
SMALL = 320
Mode = Literal["auto", "copy", "link", "none"]
MODES: tuple[Mode, ...] = ("auto", "copy", "link", "none")


@dataclass(frozen=True)
class Shown:
    """A picture of the pages: `whole` is its address, or None where the small one is all there is."""

    width: int
    height: int
    whole: str | None

    def entry(self) -> list[Any]:
        """As the pages' scripts read it."""
        return [self.width, self.height, self.whole]


class Shelf:
    """The pictures wanted, made and counted.

    `auto` copies whole pictures while the room lasts and links the others; `link` copies none, `copy` all, and `none`
    leaves pictures out altogether.
    """

    def __init__(self, site: Path, *, mode: Mode, longest_side: int) -> None:
        self._folder, self._mode, self._longest_side = site / FOLDER, mode, longest_side
        self._wanted: dict[str, tuple[Path, str]] = {}
        self._shown: dict[str, Shown] = {}
        self.bytes = self.linked = 0

    def want(self, root: Path, names: Iterable[str]) -> list[str]:
        """The keys of the pictures `names` of the data set under `root`, to be made by `make`."""
        keys = []
        for name in names if self._mode != "none" else ():
            key = hashlib.sha256(f"{root}\0{name}".encode(errors="replace")).hexdigest()[:12]
            self._wanted.setdefault(key, (root, name))
            keys.append(key)
        return keys

    def make(self, room: float) -> None:
        """Write what is wanted and not yet there; whole pictures for as long as there are `room` bytes in all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        new = [key for key in self._wanted if key not in self._shown]
        with ThreadPoolExecutor(min(8, len(os.sched_getaffinity(0)))) as pool:
            for key, (size, small) in zip(new, pool.map(self._make_small, new), strict=True):
                self._shown[key] = Shown(*size, None)
                self.bytes += small
        for key in new:
            shown = self._shown[key]
            if max(shown.width, shown.height) > SMALL:
                self._shown[key] = Shown(shown.width, shown.height, self._whole(key, room))

    def entries(self, keys: Iterable[str]) -> Mapping[str, list[Any]]:
        """What the scripts need of the pictures `keys`, once they are made."""
        return {key: self._shown[key].entry() for key in keys}

    def _make_small(self, key: str) -> tuple[tuple[int, int], int]:
        path = self._folder / f"{key}.webp"
        picture = open_picture(*self._wanted[key])
        size = picture.size
        if not path.exists():
            picture.thumbnail((SMALL, SMALL))
            atomic.write_bytes(path, _webp(picture, lossless=max(size) <= SMALL))
        return size, path.stat().st_size

    def _whole(self, key: str, room: float) -> str | None:
        root, name = self._wanted[key]
        path = self._folder / f"{key}-whole.webp"
        if self._mode == "link" and not _is_cued(root):
            return self._link(root / name)
        if not path.exists():
            picture = open_picture(root, name)
            picture.thumbnail((self._longest_side, self._longest_side))
            content = _webp(picture, lossless=False)
            if self._mode == "auto" and self.bytes + len(content) > room:
                return None if _is_cued(root) else self._link(root / name)
            atomic.write_bytes(path, content)
        self.bytes += path.stat().st_size
        return f"{FOLDER}/{path.name}"

    def _link(self, file: Path) -> str:
        self.linked += 1
        return quote(os.path.relpath(file.resolve(), self._folder.parent.resolve()))


def _webp(picture: Image.Image, *, lossless: bool) -> bytes:
    stored = io.BytesIO()
    picture.save(stored, "WEBP", lossless=lossless, quality=80, method=2)
    return stored.getvalue()


def _is_cued(root: Path) -> bool:
    return manifest.exists(root) and CUE in manifest.read(root)
