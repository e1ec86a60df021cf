"""Several splits read as one, each question once: `validation+test` is what the study calls its All set.

The study's own All sets were joined by hand: one holds a split twice, another lacks one (reference, section 12.1). A
question that stands in several splits, the same words on the same pictures, is one row here, that of the split that is
named first. Ids must tell rows apart.
"""

from collections.abc import Mapping

from vlm_grpo.errors import UserError
from vlm_grpo.rows.records import Row

JOIN = "+"


def parts(split: str, *, where: str) -> tuple[str, ...]:
    """The splits that `split` joins, one if it is a name alone; `UserError` where one is named twice."""
    names = tuple(split.split(JOIN))
    if len(set(names)) < len(names):
        raise UserError(f"{where}: {split!r} names a split twice; name each once")
    return names


def join(rows: Mapping[str, list[Row]], *, where: str) -> list[Row]:
    """The rows of all splits in order, without those that ask what a row of an earlier split asks."""
    asked: dict[tuple[tuple[str, ...], str], Row] = {}
    ids: dict[str, str] = {}
    kept: list[Row] = []
    for split, own in rows.items():
        new = [row for row in own if not _is_repeated(row, asked, where=f"{where} split {split!r}")]
        for row in new:
            if row.id in ids:
                raise UserError(
                    f"{where}: id {row.id!r} is one row of {ids[row.id]!r} and another of {split!r}; "
                    "evaluate the splits apart, or give each row an id of its own"
                )
        ids |= {row.id: split for row in new}
        asked |= {_question(row): row for row in new}
        kept += new
    return kept


def _question(row: Row) -> tuple[tuple[str, ...], str]:
    return row.images, row.problem


def _is_repeated(row: Row, asked: Mapping[tuple[tuple[str, ...], str], Row], *, where: str) -> bool:
    first = asked.get(_question(row))
    if first is not None and first.solution != row.solution:
        raise UserError(
            f"{where}: row {row.id!r} asks what row {first.id!r} of another split asks, with the answer "
            f"{row.solution!r} instead of {first.solution!r}; evaluate the splits apart, or mend the data set"
        )
    return first is not None
