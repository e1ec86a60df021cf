"""The stored score files, recomputed: interval, weighted precision, recall and F1 from the confusion counts of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sklearn.metrics import precision_recall_fscore_support

from vlm_grpo.statistics.intervals import wilson

TOLERANCE = 1e-10
CELLS = (("tp", "True", "True"), ("fn", "True", "False"), ("fp", "False", "True"), ("tn", "False", "False"))
FIGURES = ("accuracy", "ci_low", "ci_high", "precision_weighted", "recall_weighted", "f1_weighted")


@dataclass(frozen=True, slots=True)
class Recomputed:
    """One score file: its stored figures and the same from its counts, by the names of `FIGURES`, as fractions."""

    name: str
    correct: int
    n: int
    stored: dict[str, float]
    ours: dict[str, float]

    @property
    def largest_difference(self) -> float:
        """Largest absolute difference over the figures that the file stores."""
        return max(abs(self.ours[name] - value) for name, value in self.stored.items())

    @property
    def reproduced(self) -> bool:
        """Every stored figure is recomputed to within `TOLERANCE`."""
        return self.largest_difference < TOLERANCE


def name_of(score: Mapping[str, Any]) -> str:
    """A score file's folder below results/vsr and the commit it was read at."""
    return f"{score['path'].removeprefix('results/vsr/').removesuffix('/scores.json')} @{score['commit_prefix']}"


def recompute(score: Mapping[str, Any]) -> Recomputed:
    """Recompute one entry of `published.json`'s `scores`; figures that the file does not store are not compared."""
    counts = score["derived"]
    low, high = wilson(counts["correct"], counts["n"])
    ours = {"accuracy": counts["correct"] / counts["n"], "ci_low": low, "ci_high": high}
    if counts["confusion_true_is_positive"] is not None:
        precision, recall, f1 = _weighted(counts["confusion_true_is_positive"])
        ours |= {"precision_weighted": precision, "recall_weighted": recall, "f1_weighted": f1}
    scale = 100 if score["accuracy_unit"] == "percent" else 1
    stored = {name: score[name] for name in FIGURES if score[name] is not None}
    stored["accuracy"] /= scale
    return Recomputed(name_of(score), counts["correct"], counts["n"], stored, ours)


def _weighted(confusion: Mapping[str, int]) -> tuple[float, float, float]:
    cells = [*CELLS, ("unparsed", "True", "")]  # the one unparsed prediction of all files belongs to a True item
    truth, predicted = [c[1] for c in cells], [c[2] for c in cells]
    weights = [confusion[c[0]] for c in cells]
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth, predicted, average="weighted", sample_weight=weights, zero_division=0
    )
    return float(precision), float(recall), float(f1)
