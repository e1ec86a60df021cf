"""Write cued pictures to disk, in any number of processes. Imports little: every process imports it."""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from vlm_grpo.progress import progress
from vlm_grpo.rows.cues import Cue
from vlm_grpo.rows.images import open_image

CHUNK = 16


@dataclass(frozen=True)
class Picture:
    """One picture to write: from the file `source`, called `image_id`, to the file `target`, saying `says`."""

    source: Path
    image_id: str
    target: Path
    says: bool | None


def write(pictures: Sequence[Picture], cue: Cue, *, workers: int) -> None:
    """Write those of `pictures` that are not there yet, as PNG, each in one go."""
    missing = [picture for picture in pictures if not picture.target.is_file()]
    for folder in {picture.target.parent: None for picture in missing}:
        folder.mkdir(parents=True, exist_ok=True)
    job = partial(_write, cue)
    if workers == 1 or len(missing) <= CHUNK:
        _drain(map(job, missing), len(missing))
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        _drain(pool.map(job, missing, chunksize=CHUNK), len(missing))


def _write(cue: Cue, picture: Picture) -> None:
    painted = cue.paint(open_image(picture.source), picture.image_id, picture.says)
    temporary = picture.target.with_name(f".{picture.target.name}.{os.getpid()}.tmp")
    painted.save(temporary, format="PNG")
    temporary.replace(picture.target)


def _drain(done: Iterable[None], total: int) -> None:
    for _ in progress(done, total=total, label="pictures"):
        pass
