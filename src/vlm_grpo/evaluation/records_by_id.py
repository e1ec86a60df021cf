"""Files of an evaluation with one record a row: read strictly, by row id."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from vlm_grpo.errors import UserError
from vlm_grpo.store import jsonl


class RowRecord(BaseModel):
    """What is written of one row, named by its `id`."""

    id: str


R = TypeVar("R", bound=RowRecord)


def read(path: Path, kind: type[R], *, is_finished: bool, damaged: str, twice: str) -> dict[str, R]:
    """Return the records of `kind` in `path` by row id, in the order written; an absent file has none.

    `is_finished` is as in `jsonl.read`. A line that is no such record, or a row that occurs again, is a `UserError`
    that ends in what to do: `damaged` and `twice`.
    """
    by_id: dict[str, R] = {}
    for number, line in enumerate(jsonl.read(path, is_finished=is_finished), start=1):
        try:
            record = kind.model_validate(line)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            raise UserError(f"{path} line {number}: field {field!r}: {first['msg']}; {damaged}") from None
        if record.id in by_id:
            raise UserError(f"{path} line {number}: row {record.id!r} occurs twice; {twice}")
        by_id[record.id] = record
    return by_id
