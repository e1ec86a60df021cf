"""The one schema of a data set's rows, whatever the source.

On disk a row is flat: the fields below plus the data set's own columns (`relation`, `subj` ...), which a `Row` holds
in `meta`. Paths of images are relative to the data set's root, so that a folder can be moved.
"""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from vlm_grpo.errors import UserError

FIELDS = ("id", "images", "problem", "solution", "task")


class Row(BaseModel):
    """One question: `id` unique and stable, 0 or more `images`, `problem` text, `solution` text or JSON text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1)
    images: tuple[str, ...]
    problem: str = Field(min_length=1)
    solution: str = Field(min_length=1)
    task: str = Field(min_length=1)
    meta: dict[str, Any] = Field(default_factory=dict)

    @field_validator("solution", mode="before")
    @classmethod
    def _solution_as_text(cls, value: Any) -> Any:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    @field_validator("images")
    @classmethod
    def _relative(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for path in value:
            if path.startswith("/") or ".." in path.split("/"):
                raise ValueError(f"image path {path!r} must be relative and stay below the data set's root")
        return value

    def flat(self) -> dict[str, Any]:
        """The row as stored: the schema's fields and the data set's own columns side by side."""
        clash = self.meta.keys() & set(FIELDS)
        if clash:
            raise ValueError(f"meta of row {self.id} uses reserved columns {sorted(clash)}")
        return {**{name: getattr(self, name) for name in FIELDS}, "images": list(self.images), **self.meta}


def parse_row(flat: dict[str, Any], *, where: str) -> Row:
    """Validate one stored row; `where` (file and row number) opens the error's one line."""
    fields = {name: flat[name] for name in FIELDS if name in flat}
    meta = {name: value for name, value in flat.items() if name not in FIELDS}
    try:
        return Row(**fields, meta=meta)
    except ValidationError as error:
        raise UserError(f"{where}: {first_fault(error)}") from None


def first_fault(error: ValidationError) -> str:
    """The first thing pydantic found wrong with a row, as one clause: column, what is wrong, what was found."""
    fault = error.errors()[0]
    column = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "missing":
        return f"column {column!r} is missing"
    return f"column {column!r}: {fault['msg']}, found {fault['input']!r}"


def check_unique(rows: list[Row], *, where: str) -> None:
    """`UserError` naming the first id that occurs twice."""
    seen: set[str] = set()
    for row in rows:
        if row.id in seen:
            raise UserError(f"{where}: id {row.id!r} occurs twice; ids must be unique")
        seen.add(row.id)
