"""A finished evaluation read back (an arm of the study), and two of them compared row by row. Needs no torch."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlm_grpo.errors import UserError
from vlm_grpo.evaluation import generations, outcomes, rows
from vlm_grpo.evaluation.generations import Generation
from vlm_grpo.evaluation.scores import pictures_of
from vlm_grpo.rows import dataset
from vlm_grpo.rows.records import Row
from vlm_grpo.statistics.bootstrap import paired_bootstrap
from vlm_grpo.statistics.paired import mcnemar_exact, paired_counts
from vlm_grpo.store import manifest
from vlm_grpo.tasks.base import Outcome
from vlm_grpo.tasks.registry import task_of

KIND = "evaluation"
SCORES = "scores.json"
BOOTSTRAP_SEED = 0
SHOWN = ("n", "correct", "accuracy", "ci_low", "ci_high", "parse_rate", "clip_rate")
"""The scores that reports show of every arm."""


@dataclass(frozen=True)
class Arm:
    """A finished evaluation.

    Attributes:
        folder: where it lies; `manifest` and `scores` are what it wrote there.
        root: its data set, from which `rows` are read, in the split's order.
        generations: what was said, and `outcomes` what that is worth; each by row id.
    """

    folder: Path
    manifest: dict[str, Any]
    scores: dict[str, Any]
    root: Path
    rows: list[Row]
    generations: dict[str, Generation]
    outcomes: dict[str, Outcome]

    @property
    def right(self) -> dict[str, bool]:
        """Whether each row was answered right, by row id."""
        return {id: outcome.right for id, outcome in self.outcomes.items()}


def open_arm(folder: Path) -> Arm:
    """Read the finished evaluation in `folder`, and its rows from the data set it names."""
    written = manifest.read(folder, kind=KIND)
    _check_keys(written, ("config", "inputs", "seconds"), folder / manifest.MANIFEST)
    config = written["config"]
    _check_keys(
        config, ("model", "adapter", "data", "split", "limit", "seed", "prompt", "answers"), folder / manifest.MANIFEST
    )
    scores = manifest.read_json(folder / SCORES)
    _check_keys(scores, ("split", "split_rows", *SHOWN), folder / SCORES)
    root = Path(config["data"])
    answered, _ = rows.load(root, config["split"], limit=config["limit"], seed=config["seed"])
    if dataset.fingerprint(answered) != written["inputs"]["rows"]:
        raise UserError(f"{folder} was evaluated on other rows than {root} now holds; evaluate it again")
    said = generations.read(folder, is_finished=True)
    outcomes.check_complete(said, answered, where=folder / generations.FILE)
    return Arm(
        folder=folder,
        manifest=written,
        scores=scores,
        root=root,
        rows=answered,
        generations=said,
        outcomes=_outcomes(folder, said, answered, config["answers"]),
    )


def _outcomes(folder: Path, said: dict[str, Generation], answered: list[Row], rule: Any) -> dict[str, Outcome]:
    """As evaluation wrote them; read from the generations where it is of a version that wrote none."""
    records = outcomes.read(folder)
    if not records:
        return outcomes.judge_rows(said, answered, rule=rule, where=folder / generations.FILE)
    outcomes.check_complete(records, answered, where=folder / outcomes.FILE)
    return {row.id: records[row.id].outcome for row in answered}


def _check_keys(record: Mapping[str, Any], names: Iterable[str], file: Path) -> None:
    """`UserError` unless `record`, read from `file`, has all of `names`."""
    for name in names:
        if name not in record:
            raise UserError(
                f"{file} has no {name!r}, which every evaluation writes; evaluate again into another folder"
            )


def compare(first: Arm, second: Arm) -> dict[str, Any]:
    """Discordant counts and the exact McNemar test.

    `b` rows only the first arm got right, `c` only the second; `difference` is the second's accuracy less the first's.
    Where a row's task gives partial credit, `credit_difference` is that of the mean credits, with a bootstrap interval
    that keeps the arms paired and draws the rows of one picture together.
    """
    if first.manifest["inputs"]["rows"] != second.manifest["inputs"]["rows"]:
        paired_counts(first.right, second.right)
        raise UserError(f"{first.folder} and {second.folder} were evaluated on rows that share ids but not content")
    counts = paired_counts(first.right, second.right)
    comparison: dict[str, Any] = {
        "n": counts.n,
        "b": counts.b,
        "c": counts.c,
        "difference": counts.difference,
        "mcnemar_p": mcnemar_exact(counts.b, counts.c),
    }
    if any(task_of(row).is_graded for row in first.rows):
        comparison["credit_difference"] = _credit_difference(first, second)
    return comparison


def _credit_difference(first: Arm, second: Arm) -> dict[str, float | None]:
    one, other = ([arm.outcomes[row.id].credit for row in first.rows] for arm in (first, second))
    interval = paired_bootstrap(one, other, clusters=pictures_of(first.rows), seed=BOOTSTRAP_SEED)
    low, high = interval or (None, None)
    return {"value": (sum(other) - sum(one)) / len(one), "ci_low": low, "ci_high": high}
