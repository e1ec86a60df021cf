"""`probes.jsonl`: one line for each row asked once more; a rerun asks only for what is missing."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from vlm_grpo.errors import UserError
from vlm_grpo.store import jsonl

FILE, SCORES = "probes.jsonl", "faithfulness.json"
KIND = "faithfulness"
"""Of the manifest beside them."""


class ProbeRecord(BaseModel):
    """One line.

    Attributes:
        probe: its name, `share` how much of the thought was kept where it was cut.
        id: the row.
        missing: why the row could not be asked; null where it was. All below is null then.
        pushed: the answer that the change argued for, if any.
        judge: who wrote the mistake in its thought, where no rule did.
        prefill: what the completion began with, `text` the whole completion.
        said: the answer read (null: none could be), `truth` the true one, `credit` and `right` what it is worth.
        same: whether it is the answer that the arm gave before; `before_right` whether that was right.
        gold_probability: of the true answer among the row's options at the first token of the unchanged answer, and
            `entropy` of all of them, in nats; null where options are not few.
        stay_probability: likewise of the answer before, at the first token of the answer under the probe; null where
            the probe pushes no answer.
    """

    model_config = ConfigDict(extra="forbid")

    probe: str
    id: str
    share: float | None = None
    missing: str | None = None
    pushed: Any = None
    judge: str | None = None
    prefill: str | None = None
    text: str | None = None
    said: Any = None
    truth: Any = None
    credit: float | None = None
    right: bool | None = None
    same: bool | None = None
    before_right: bool | None = None
    gold_probability: float | None = None
    entropy: float | None = None
    stay_probability: float | None = None

    @property
    def key(self) -> tuple[str, str, float | None]:
        """What there is one line of."""
        return self.probe, self.id, self.share


def read(folder: Path, *, is_finished: bool = False) -> list[ProbeRecord]:
    """The records in `folder`, in the order written; none when there is no file yet."""
    records = {}
    for number, line in enumerate(jsonl.read(folder / FILE, is_finished=is_finished), start=1):
        where = f"{folder / FILE} line {number}"
        try:
            record = ProbeRecord.model_validate(line)
        except ValidationError as error:
            first = error.errors()[0]
            raise UserError(f"{where}: field {first['loc'][0]!r}: {first['msg']}; remove that line") from None
        if record.key in records:
            raise UserError(f"{where}: {record.probe} of row {record.id!r} occurs twice; remove one of the lines")
        records[record.key] = record
    return list(records.values())
