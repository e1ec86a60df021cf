"""A data set's pictures as a model is shown them: decoded, and cued where the data set was built to be on the fly.

A vision-biased set (`bias.vision`) holds cued pictures, or the source's with the cue left to whoever opens them. Both
show the same pixels.
"""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image

from vlm_grpo.errors import UserError
from vlm_grpo.rows import dataset
from vlm_grpo.rows.cues import Cue
from vlm_grpo.rows.images import NotAPicture, decode, open_image
from vlm_grpo.rows.records import Row
from vlm_grpo.store import manifest

CUE = "cue_on_the_fly"
"""Key of the manifest that holds the cue's settings."""
SOURCE_IMAGES, SHORTCUT = "source_images", "shortcut"
"""Columns of such a set: what each picture is called in the source, and what its cue says."""


def open_picture(root: Path, name: str) -> Image.Image:
    """The picture `name` of the data set under `root`, upright in RGB; `UserError` as in `open_image`."""
    picture = open_image(root / name)
    path = root / manifest.MANIFEST
    cued = _cued(root, path.stat().st_mtime_ns) if path.is_file() else None
    if cued is None:
        return picture
    cue, by_name = cued
    image_id, says = by_name[name]
    return cue.paint(picture, image_id, says)


def check_pictures(rows: Iterable[Row], *, root: Path) -> None:
    """`check_files` of the pictures of `rows`."""
    check_files(root / name for row in rows for name in row.images)


def check_files(paths: Iterable[Path]) -> None:
    """`UserError` that names the first of `paths` that holds no picture, and counts them."""
    distinct = list(dict.fromkeys(paths))
    if faults := faulty(distinct):
        path, fault = next(iter(faults.items()))
        count = f"; {len(faults)} of {len(distinct)} pictures cannot be used" if len(faults) > 1 else ""
        raise UserError(f"image {path} {fault}; mend or remove it and build the data set again{count}")


def faulty(paths: Iterable[Path]) -> dict[Path, str]:
    """Those of `paths` that hold no picture, each with the reason.

    Each is decoded once, on all cores: a run would otherwise meet a damaged one at some later step.
    """
    distinct = list(dict.fromkeys(paths))
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return {path: fault for path, fault in zip(distinct, pool.map(_fault, distinct), strict=True) if fault}


def _fault(path: Path) -> str | None:
    """Why the picture in `path` cannot be used; None: it can."""
    try:
        decode(path)
    except NotAPicture as fault:
        return str(fault)
    return None


@lru_cache
def _cued(root: Path, changed: int) -> tuple[Cue, dict[str, tuple[str, bool | None]]] | None:
    """The cue of the data set as it was at `changed`, and by picture its name in the source and what the cue says."""
    stored: dict[str, Any] = manifest.read(root)
    if CUE not in stored:
        return None
    rows = [row for split in stored["counts"] for row in dataset.load(root, split)]
    by_name = {
        name: (image_id, row.meta[SHORTCUT])
        for row in rows
        for name, image_id in zip(row.images, row.meta[SOURCE_IMAGES], strict=True)
    }
    return Cue(**stored[CUE]), by_name
