"""Which probes and quadrants belong to a study: beside its evaluations, below its report, or in folders named.

A folder of `vlm_grpo.faithfulness` belongs to the run whose evaluation it asked again; one of quadrants to each run
whose completions it read. What is not finished is not shown.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlm_grpo.errors import UserError
from vlm_grpo.evaluation.arms import Arm
from vlm_grpo.faithfulness.quadrants import KIND as QUADRANTS
from vlm_grpo.faithfulness.quadrants import SCORES as QUADRANT_SCORES
from vlm_grpo.faithfulness.records import KIND, SCORES
from vlm_grpo.store import manifest
from vlm_grpo.store.provenance import file_hash

BELOW_A_REPORT = ("*", "faithfulness/**")
"""Folders of a report that may hold some."""


@dataclass(frozen=True)
class Probed:
    """The finished probes of one run: `summary` are their scores, `seed` and `limit` what they were asked with."""

    run: str
    folder: Path
    summary: dict[str, Any]
    seed: int
    limit: int | None


@dataclass(frozen=True)
class Faithfulness:
    """What was probed by label (the run, with the folder's name where a run has several), and quadrants by folder."""

    probed: dict[str, Probed] = field(default_factory=dict)
    quadrants: dict[Path, dict[str, Any]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.probed or self.quadrants)


def find_faithfulness(results: Path, runs: Mapping[str, Arm], named: Sequence[Path] = ()) -> Faithfulness:
    """What there is of `runs`; `UserError` where a folder of `named`, or those in it, hold nothing of them."""
    run_of = {arm.folder.resolve(): run for run, arm in runs.items()}
    texts = {file_hash(arm.folder / "generations.jsonl") for arm in runs.values()}
    beside = [folder for arm in runs.values() for folder in _finished(arm.folder.parent, "*")]
    below = [folder for pattern in BELOW_A_REPORT for folder in _finished(results, pattern)]
    within = {place: [*_finished(place, "."), *_finished(place, "*")] for place in named}
    probes: dict[Path, Probed] = {}
    quadrants: dict[Path, dict[str, Any]] = {}
    for folder in dict.fromkeys([*beside, *below, *(one for some in within.values() for one in some)]):
        written = manifest.read_json(folder / manifest.MANIFEST)
        if written.get("kind") == KIND and (run := run_of.get(Path(written["config"]["arm"]).resolve())) is not None:
            probes[folder] = _probed(run, runs[run], folder, written)
        elif written.get("kind") == QUADRANTS and texts & set(written["inputs"].values()):
            quadrants[folder] = manifest.read_json(folder / QUADRANT_SCORES)
    for place, some in within.items():
        if not any(folder in probes or folder in quadrants for folder in some):
            raise UserError(f"{place} holds no finished probes or quadrants of the study's runs; check --probes")
    counts = [probed.run for probed in probes.values()]
    order = list(runs)
    sorted_ = sorted(probes.values(), key=lambda probed: (order.index(probed.run), str(probed.folder)))
    labels = {p.run if counts.count(p.run) == 1 else f"{p.run} ({p.folder.name})": p for p in sorted_}
    return Faithfulness(labels, quadrants)


def _finished(place: Path, pattern: str) -> Iterator[Path]:
    """Folders with a manifest, each once whatever leads to it."""
    return (path.parent.resolve() for path in sorted(place.glob(f"{pattern}/{manifest.MANIFEST}")))


def _probed(run: str, arm: Arm, folder: Path, written: Mapping[str, Any]) -> Probed:
    if written["inputs"] != arm.manifest["inputs"]:
        raise UserError(f"{folder} probed another evaluation than {arm.folder} holds now; probe that")
    config = written["config"]
    return Probed(run, folder, manifest.read_json(folder / SCORES), config["seed"], config["limit"])
