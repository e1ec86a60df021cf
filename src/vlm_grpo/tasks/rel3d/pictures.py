"""Where Rel3D's pictures come from: the HDF5 files beside the JSON, or a folder of them as they were rendered.

The HDF5 file of a split, `<name>_<split>_False.h5`, holds `rgb` and `depth`, a PNG of 256 x 256 for each sample, and
JSON that tells which path stands where. Its outer 16 pixels on each side are padding: the scene, squeezed to a square,
is the central 224 x 224.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np
from PIL import Image

from vlm_grpo.errors import UserError
from vlm_grpo.rows.images import decode, to_rgb, upright_size
from vlm_grpo.rows.links import bring
from vlm_grpo.rows.pictures import faulty
from vlm_grpo.store.provenance import file_hash
from vlm_grpo.tasks.rel3d.samples import Sample

SCENE, STORED = 224, 256
"""Pixels on a side: of the scene, and of what is stored around it."""


class Pictures(Protocol):
    """Pictures of one split."""

    def fault(self, sample: Sample, *, needs_depth: bool) -> str | None:
        """Why a picture of `sample` cannot be used; None: it can."""

    def name(self, sample: Sample) -> str:
        """What its picture is called when it is saved."""

    def content(self, sample: Sample) -> str:
        """Hash of its picture."""

    def size(self, sample: Sample) -> tuple[int, int]:
        """(width, height) of its picture."""

    def rgb(self, sample: Sample) -> Image.Image:
        """Its picture."""

    def depth(self, sample: Sample) -> Image.Image:
        """Its depth in grey, as large."""

    def save(self, sample: Sample, place: Path) -> None:
        """Write its picture to `place`, without loss."""


@dataclass(frozen=True)
class Hdf5:
    """The pictures in the open file `path`."""

    path: Path
    file: Any
    rgb_at: dict[str, int]
    depth_at: dict[str, int]

    @classmethod
    def open(cls, path: Path) -> "Hdf5":
        """`UserError` where there is no such file, or it is none of Rel3D's."""
        if not path.is_file():
            raise UserError(
                f"{path} is missing; fetch it with Rel3D's `download.sh data_min`, or give the rendered pictures with "
                "--pictures FOLDER"
            )
        try:
            file = h5py.File(path, "r")
            rgb_at, depth_at = (json.loads(file[f"{kind}_path_to_id"][()]) for kind in ("rgb", "depth"))
        except (OSError, KeyError, ValueError) as error:
            raise UserError(f"{path} is no HDF5 file of Rel3D's ({error}); fetch it again") from None
        if missing := [kind for kind in ("rgb", "depth") if kind not in file]:
            raise UserError(f"{path} has no data set {missing[0]!r}; fetch it again")
        return cls(path, file, rgb_at, depth_at)

    def fault(self, sample: Sample, *, needs_depth: bool) -> str | None:
        """Why a picture of `sample` cannot be used; None: it can."""
        for kind, path, known in (("rgb", sample.rgb, self.rgb_at), ("depth", sample.depth, self.depth_at)):
            if kind == "depth" and not needs_depth:
                continue
            if path not in known:
                return f"{self.path.name} has no {kind} of {Path(path).name!r}"
            try:
                with Image.open(io.BytesIO(self._packed(kind, known[path]))) as picture:
                    picture.load()
            except (OSError, SyntaxError, ValueError, IndexError) as error:
                return f"{kind} of {Path(path).name!r} in {self.path.name} cannot be read ({error})"
        return None

    def name(self, sample: Sample) -> str:
        """That of the rendered picture, as PNG."""
        return f"{Path(sample.rgb).stem}.png"

    def content(self, sample: Sample) -> str:
        """Hash of the PNG."""
        return sha256(self._packed("rgb", self.rgb_at[sample.rgb])).hexdigest()

    def size(self, sample: Sample) -> tuple[int, int]:
        """(width, height) of the scene."""
        return _scene_size(Image.open(io.BytesIO(self._packed("rgb", self.rgb_at[sample.rgb]))).size)

    def rgb(self, sample: Sample) -> Image.Image:
        """The scene without the padding."""
        return _scene(to_rgb(Image.open(io.BytesIO(self._packed("rgb", self.rgb_at[sample.rgb])))))

    def depth(self, sample: Sample) -> Image.Image:
        """The depth without the padding."""
        return _scene(Image.open(io.BytesIO(self._packed("depth", self.depth_at[sample.depth]))).convert("L"))

    def save(self, sample: Sample, place: Path) -> None:
        """Write the scene as PNG."""
        self.rgb(sample).save(place)

    def _packed(self, kind: str, number: int) -> bytes:
        stored: bytes = np.asarray(self.file[kind][number], dtype=np.uint8).tobytes()
        return stored


def _scene_size(stored: tuple[int, int]) -> tuple[int, int]:
    return round(stored[0] * SCENE / STORED), round(stored[1] * SCENE / STORED)


def _scene(stored: Image.Image) -> Image.Image:
    width, height = _scene_size(stored.size)
    left, top = (stored.width - width) // 2, (stored.height - height) // 2
    return stored.crop((left, top, left + width, top + height))


@dataclass(frozen=True)
class Folder:
    """The pictures as they were rendered, by their names in the folder `path`; `faults` of those that have any."""

    path: Path
    faults: dict[Path, str]

    @classmethod
    def open(cls, path: Path, samples: Sequence[Sample]) -> "Folder":
        """`UserError` where there is no such folder."""
        if not path.is_dir():
            raise UserError(f"{path} is no folder; give Rel3D's rendered pictures, data/20200223")
        return cls(path, faulty(path / Path(sample.rgb).name for sample in samples))

    def fault(self, sample: Sample, *, needs_depth: bool) -> str | None:
        """Why a picture of `sample` cannot be used; None: it can."""
        picture, depth = self._of(sample.rgb), self._of(sample.depth)
        if picture in self.faults:
            return f"picture {picture} {self.faults[picture]}"
        if not needs_depth:
            return None
        try:
            with Image.open(depth) as opened:
                opened.load()
        except (OSError, SyntaxError, ValueError) as error:
            return f"depth {depth} cannot be read ({error})"
        return None

    def name(self, sample: Sample) -> str:
        """That of the file."""
        return Path(sample.rgb).name

    def content(self, sample: Sample) -> str:
        """Hash of the file."""
        return file_hash(self._of(sample.rgb))

    def size(self, sample: Sample) -> tuple[int, int]:
        """(width, height) of the whole picture."""
        return upright_size(self._of(sample.rgb))

    def rgb(self, sample: Sample) -> Image.Image:
        """The whole picture."""
        return decode(self._of(sample.rgb))

    def depth(self, sample: Sample) -> Image.Image:
        """The whole depth; samples from 0 to 1 as grey from black to white."""
        with Image.open(self._of(sample.depth)) as opened:
            if opened.mode != "F":
                return opened.convert("L")
            return Image.fromarray(np.rint(np.clip(np.asarray(opened), 0, 1) * 255).astype(np.uint8))

    def save(self, sample: Sample, place: Path) -> None:
        """Make `place` a second name of the file."""
        bring({place: self._of(sample.rgb)})

    def _of(self, path: str) -> Path:
        return self.path / Path(path).name
