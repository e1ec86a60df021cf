"""Bring pictures into a folder made of others: hard links, which take no space; copies on another disk."""

import errno
import os
import shutil
from collections.abc import Mapping
from pathlib import Path


def bring(pictures: Mapping[Path, Path]) -> dict[str, int]:
    """Put a picture at each place that is a key of `pictures`, from the file that is its value.

    How many were `linked`, `copied` (no link is possible between two disks) and there before (`kept`).
    """
    done = {"linked": 0, "copied": 0, "kept": 0}
    for place, source in pictures.items():
        if place.exists():
            done["kept"] += 1
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        done["linked" if _link(source.resolve(), place) else "copied"] += 1
    return done


def _link(source: Path, place: Path) -> bool:
    """Make `place` a second name of `source` or, False, a copy of it."""
    try:
        place.hardlink_to(source)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EMLINK):
            raise
    else:
        return True
    temporary = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    shutil.copyfile(source, temporary)
    temporary.replace(place)
    return False
