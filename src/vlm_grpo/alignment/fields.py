"""What the fields of a verdict, a label or a response may hold: checked row by row before anything is counted."""

from collections.abc import Callable, Mapping
from typing import Any

from vlm_grpo.errors import UserError

_SHOWN = 60


def _is_id(value: Any) -> bool:
    return (isinstance(value, str) and bool(value)) or (isinstance(value, int) and not isinstance(value, bool))


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_stated(value: Any) -> bool:
    return isinstance(value, str | bool)


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_list_of_texts(value: Any) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(part, str) for part in value))


_KINDS: tuple[tuple[Callable[[Any], bool], str, tuple[str, ...]], ...] = (
    (_is_id, "a text or a whole number", ("id", "row_id", "index")),
    (_is_name, "a name", ("model", "annotator")),
    (_is_count, "a whole number from 0", ("repeat",)),
    (_is_stated, "a text such as True", ("label", "true_label", "solution", "true_response")),
    (lambda value: value is None or _is_stated(value), "a text or null", ("answer", "final_ans")),
    (lambda value: value is None or isinstance(value, bool), "true or false", ("aligns",)),
    (lambda value: isinstance(value, bool), "true or false", ("asks_type",)),
    (lambda value: value is None or isinstance(value, bool), "true, false or null", ("right",)),
    (lambda value: isinstance(value, str), "a text", ("text", "predicted_response")),
    (_is_text, "a text or null", ("type", "missing", "judge", "prompt", "question", "reasoning", "split", "rule")),
    (_is_list_of_texts, "a list of paths", ("images",)),
)


def check_fields(row: Mapping[str, Any], where: str, *required: str) -> None:
    """`UserError` naming the first field of `row` that is required and absent, or holds what it cannot mean.

    `where` (file and row) opens the line. Fields that nobody reads are passed over.
    """
    for name in required:
        if name not in row:
            raise UserError(f"{where}: column {name!r} is missing; it is needed in every row")
    for is_right, expected, names in _KINDS:
        for name in names:
            if name in row and not is_right(row[name]):
                shown = repr(row[name])
                shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
                raise UserError(f"{where}: {name} is {shown}, expected {expected}; mend or remove that row")


def item_id(row: Mapping[str, Any], where: str) -> str:
    """The item that a row is about: its `row_id` or, in the original's layout, its `index`."""
    name = "row_id" if "row_id" in row else "index"
    check_fields(row, where, name)
    return str(row[name])
