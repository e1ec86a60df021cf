"""A finished evaluation read back (an arm of the study), and two of them compared row by row. Needs no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlm_grpo.errors import UserError
from vlm_grpo.evaluation import generations, rows
from vlm_grpo.evaluation.generations import Generation
from vlm_grpo.evaluation.scores import outcomes, predictions
from vlm_grpo.rows import dataset
from vlm_grpo.rows.records import Row
from vlm_grpo.statistics.paired import mcnemar_exact, paired_counts
from vlm_grpo.store import manifest

KIND = "evaluation"
SCORES = "scores.json"


@dataclass(frozen=True)
class Arm:
    """A finished evaluation.

    Attributes:
        folder: where it lies; `manifest` and `scores` are what it wrote there.
        root: its data set, from which `rows` are read, in the split's order.
        generations: what was said, `predicted` what was read from it (None: nothing), `right` whether that is true;
            each by row id.
    """

    folder: Path
    manifest: dict[str, Any]
    scores: dict[str, Any]
    root: Path
    rows: list[Row]
    generations: dict[str, Generation]
    predicted: dict[str, bool | None]
    right: dict[str, bool]


def open_arm(folder: Path) -> Arm:
    """Read the finished evaluation in `folder`, and its rows from the data set it names."""
    found = manifest.read(folder, kind=KIND)
    config = found["config"]
    root = Path(config["data"])
    answered, _ = rows.load(root, config["split"], limit=config["limit"], seed=config["seed"])
    if dataset.fingerprint(answered) != found["inputs"]["rows"]:
        raise UserError(f"{folder} was evaluated on other rows than {root} now holds; evaluate it again")
    said = generations.read(folder)
    predicted = predictions(said, answered, rule=config["answers"])
    return Arm(
        folder=folder,
        manifest=found,
        scores=manifest.read_json(folder / SCORES),
        root=root,
        rows=answered,
        generations=said,
        predicted=predicted,
        right=outcomes(predicted, answered),
    )


def compare(first: Arm, second: Arm) -> dict[str, Any]:
    """Discordant counts and the exact McNemar test.

    `b` rows only the first arm got right, `c` only the second; `difference` is the second's accuracy less the first's.
    """
    if first.manifest["inputs"]["rows"] != second.manifest["inputs"]["rows"]:
        paired_counts(first.right, second.right)
        raise UserError(f"{first.folder} and {second.folder} were evaluated on rows that share ids but not content")
    counts = paired_counts(first.right, second.right)
    return {
        "n": counts.n,
        "b": counts.b,
        "c": counts.c,
        "difference": counts.difference,
        "mcnemar_p": mcnemar_exact(counts.b, counts.c),
    }
