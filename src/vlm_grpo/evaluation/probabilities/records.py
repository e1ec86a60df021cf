"""`probabilities.jsonl`: one line a row, what the model holds likely where its answer begins; a rerun asks the rest."""

from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from vlm_grpo.evaluation import records_by_id
from vlm_grpo.evaluation.records_by_id import RowRecord

FILE = "probabilities.jsonl"


class ProbabilityRecord(RowRecord):
    """One line.

    Attributes:
        missing: why the row has no such place; null where it has. All below is null then.
        probabilities: of each value, as it is written, at the first token of the answer; they add up to `mass`.
        said: the likeliest value, `truth` the true one, `right` whether they are the same.
        confidence: the share of `mass` that the likeliest value holds.
        token: the likeliest token of the whole vocabulary there, as text, and its probability.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    missing: str | None = None
    probabilities: dict[str, float] | None = None
    mass: float | None = None
    said: Any = None
    truth: Any = None
    right: bool | None = None
    confidence: float | None = None
    token: str | None = None
    token_probability: float | None = None


def read(folder: Path, *, is_finished: bool = False) -> dict[str, ProbabilityRecord]:
    """The records in `folder` by row id; none where there is no such file."""
    return records_by_id.read(
        folder / FILE,
        ProbabilityRecord,
        is_finished=is_finished,
        damaged="remove that line",
        twice="remove one of the lines",
    )
