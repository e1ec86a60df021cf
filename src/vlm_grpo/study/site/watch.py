"""The pages of a training under way, made again whenever its files have grown: curves and rollouts, and nothing else.

Files are read and never locked, completions from where the last look ended, so that a run is not slowed and a file on
NFS not read twice. What a resumed run cut off is read again from the start.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlm_grpo.errors import UserError
from vlm_grpo.store import manifest, strict_json
from vlm_grpo.store.encoding import well_formed
from vlm_grpo.study.site.curves import curves
from vlm_grpo.study.site.folder import SITE, Options, Written, folder_size, write_assets, write_data, write_page
from vlm_grpo.study.site.pictures import Shelf
from vlm_grpo.study.site.rollouts import COMPLETIONS, rollouts
from vlm_grpo.study.site.source import Training, open_training

PAGES = (("training", "Training"), ("rollouts", "Rollouts"))
STAMP = "stamp"
"""Data file that open pages read again and again, to see whether there is more."""


@dataclass
class Tail:
    """The records of a JSONL file that somebody appends to, and how far it was read."""

    path: Path
    at: int = 0
    records: list[dict[str, Any]] = field(default_factory=list)

    def read_on(self) -> list[dict[str, Any]]:
        """All records up to the last whole line; read from the start again where the file became shorter."""
        size = self.path.stat().st_size if self.path.exists() else 0
        if size < self.at:
            self.at, self.records = 0, []
        if size > self.at:
            with self.path.open("rb") as file:
                file.seek(self.at)
                new = file.read(size - self.at)
            whole = new[: new.rfind(b"\n") + 1]
            self.at += len(whole)
            self.records += [strict_json.parse(line.decode("utf-8", "replace")) for line in whole.splitlines() if line]
        return self.records


def watch(
    run: Path, out: Path, options: Options, *, every: float, tell: Callable[[Written], None], times: int | None = None
) -> None:
    """Write the pages of the training in `run` to `out` every `every` seconds, until it is done or `times` is over.

    `UserError` where `run` is no training's folder.
    """
    if not (run / manifest.IDENTITY).exists() and not manifest.exists(run):
        raise UserError(f"{run} is no training (no {manifest.IDENTITY}); give the output_dir of one that has begun")
    tail = Tail(run / COMPLETIONS)
    shelf = Shelf(out / SITE, mode=options.pictures, longest_side=options.longest_side)
    write_assets(out / SITE)
    looked = 0
    while True:
        is_done = manifest.exists(run)
        tell(write_look(open_training(run.name, run), tail.read_on(), out, shelf, options))
        looked += 1
        if is_done or looked == times:
            return
        time.sleep(every)


def write_look(training: Training, lines: list[dict[str, Any]], out: Path, shelf: Shelf, options: Options) -> Written:
    """Write the two pages as the training is now."""
    run, site = training.run, out / SITE
    held = rollouts(training, lines, shelf, steps=options.rollout_steps) if lines else None
    data: dict[str, Any] = {"training": curves({run: training})}
    if held is not None:
        data |= {f"rollouts-0-{place:03d}": chunk for place, chunk in enumerate(held.chunks)}
        size = training.config["num_generations"]
        data["rollouts"] = [
            {"run": run, "rows": held.rows, "groups": held.groups, "rewards": held.rewards, "size": size,
             "left": held.steps_left_out}
        ]  # fmt: skip
    steps = training.steps[-1].get("step", 0) if training.steps else 0
    data["study"] = {
        "title": run,
        "runs": [{"run": run, "arm": run, "tone": 2, "seed": 0}],
        "rollouts": [run] if held is not None else [],
        "watched": len(lines) + len(training.steps),
    }
    data[STAMP] = data["study"]["watched"]
    pictures = write_data(site, data, shelf, options)
    pages = [page for page in PAGES if page[0] != "rollouts" or held is not None]
    about = {"title": well_formed(run), "facts": f"step {steps}", "pages": pages, "tone_of": {run: 2}}
    for name, _ in pages:
        write_page(out, name, about)
    page = site / "training.html"
    return Written(page, folder_size(page, site), pictures, shelf.linked)
