"""Handwritten digits of 28 x 28 pixels, white on black, from one of three sources.

`sklearn` is the default and needs no network: the 1,797 digits that scikit-learn ships, 8 x 8 pixels scaled up
smoothly. `mnist` reads MNIST's four IDX files from a folder, `hub` takes MNIST from the Hugging Face hub. A hash of a
glyph's index assigns it to training, validation or test once and for all, so splits share no glyph.
"""

import gzip
import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from vlm_grpo.errors import UserError

SIDE = 28
"""Width and height of a glyph in pixels."""
SOURCES = ("sklearn", "mnist", "hub")
POOLS = ("train", "validation", "test")
HUB_MNIST = "ylecun/mnist"

_MOST_INK = 16
"""The brightest value of scikit-learn's digits."""
_HELD_OUT = {0: "validation", 1: "validation", 2: "validation", 3: "test", 4: "test", 5: "test"}
_POOL_MODULUS = 20
_IMAGES_MAGIC, _LABELS_MAGIC = 2051, 2049


@dataclass(frozen=True, kw_only=True)
class Glyphs:
    """All glyphs of a source.

    Attributes:
        source: name and revision of where they come from.
        images: uint8 (N, 28, 28), 0 is black.
        labels: the digits, int (N,).
    """

    source: dict[str, str]
    images: np.ndarray
    labels: np.ndarray

    def pool(self, name: str) -> list[int]:
        """Indices of the glyphs that belong to the pool `name` ("train", "validation" or "test")."""
        return [index for index in range(len(self.labels)) if pool_of(index) == name]


def pool_of(index: int) -> str:
    """The pool of the glyph with this index: three in twenty for each held-out pool."""
    digest = hashlib.sha256(f"digits glyph {index}".encode()).digest()
    return _HELD_OUT.get(int.from_bytes(digest[:8]) % _POOL_MODULUS, "train")


def load(source: str = "sklearn", *, folder: Path | None = None) -> Glyphs:
    """The glyphs of `source`; `folder` holds the IDX files of "mnist"."""
    if (source == "mnist") != (folder is not None):
        raise UserError("--source mnist and --mnist FOLDER go together: the folder holds MNIST's four IDX files")
    if folder is not None:
        return _from_idx(folder)
    match source:
        case "sklearn":
            return _from_sklearn()
        case "hub":
            return _from_hub()
    raise UserError(f"--source {source}: unknown; known: {', '.join(SOURCES)}")


def _from_sklearn() -> Glyphs:
    bunch = load_digits()
    small = np.round(bunch.images * (255 / _MOST_INK)).astype(np.uint8)
    images = [np.asarray(Image.fromarray(glyph).resize((SIDE, SIDE), Image.Resampling.BICUBIC)) for glyph in small]
    source = {"name": "sklearn.datasets.load_digits", "revision": "1"}
    return Glyphs(source=source, images=np.stack(images), labels=bunch.target.astype(np.int64))


def _from_idx(folder: Path) -> Glyphs:
    images, labels = [], []
    for part in ("train", "t10k"):
        images.append(_idx(folder, f"{part}-images-idx3-ubyte", magic=_IMAGES_MAGIC, shape=(SIDE, SIDE)))
        labels.append(_idx(folder, f"{part}-labels-idx1-ubyte", magic=_LABELS_MAGIC, shape=()))
        if len(images[-1]) != len(labels[-1]):
            raise UserError(f"{folder}: {part} has {len(images[-1])} images but {len(labels[-1])} labels")
    return _mnist(np.concatenate(images), np.concatenate(labels), name="mnist", where=folder)


def _idx(folder: Path, name: str, *, magic: int, shape: tuple[int, ...]) -> np.ndarray:
    packed, plain = folder / f"{name}.gz", folder / name
    if not packed.exists() and not plain.exists():
        raise UserError(f"{plain}: no such file, packed (.gz) or not; --mnist wants the folder of MNIST's IDX files")
    try:
        content = plain.read_bytes() if plain.exists() else gzip.decompress(packed.read_bytes())
    except (OSError, EOFError) as error:
        raise UserError(f"{packed}: cannot be unpacked ({error}); fetch the file again") from None
    sizes = struct.Struct(f">{2 + len(shape)}I")
    if len(content) < sizes.size:
        raise UserError(f"{plain}: {len(content)} bytes are no IDX file; fetch the file again")
    number, count, *rest = sizes.unpack_from(content)
    wanted = sizes.size + count * int(np.prod(shape, dtype=int))
    if (number, tuple(rest)) != (magic, shape) or len(content) != wanted:
        raise UserError(f"{plain}: not MNIST's IDX format (magic number {number}, sizes {[count, *rest]})")
    return np.frombuffer(content, np.uint8, offset=sizes.size).reshape(count, *shape)


def _from_hub() -> Glyphs:
    from datasets import concatenate_datasets, load_dataset

    try:
        parts = load_dataset(HUB_MNIST)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"--source hub: cannot load {HUB_MNIST} ({str(error).splitlines()[0]})") from None
    rows = concatenate_datasets([parts["train"], parts["test"]])
    images = np.stack([np.asarray(image, dtype=np.uint8) for image in rows["image"]])
    return _mnist(images, np.asarray(rows["label"], dtype=np.uint8), name=HUB_MNIST, where=HUB_MNIST)


def _mnist(images: np.ndarray, labels: np.ndarray, *, name: str, where: object) -> Glyphs:
    if labels.max() > 9:
        raise UserError(f"{where}: label {labels.max()} is no digit")
    content = hashlib.sha256(images.tobytes() + labels.tobytes())
    return Glyphs(
        source={"name": name, "revision": content.hexdigest()[:16]}, images=images, labels=labels.astype(np.int64)
    )
