from typing import Any

import pytest

from vlm_grpo.errors import UserError
from vlm_grpo.rows.records import Row, check_unique, parse_row

FLAT: dict[str, Any] = {
    "id": "a-1",
    "images": ["images/a.png"],
    "problem": "Is it?",
    "solution": "True",
    "task": "vsr",
    "relation": "on",
}


def test_a_row_survives_flattening() -> None:
    row = parse_row(FLAT, where="rows.jsonl line 1")
    assert row.meta == {"relation": "on"}
    assert row.flat() == FLAT
    assert parse_row(row.flat(), where="again") == row


def test_several_images_none_and_a_structured_solution() -> None:
    assert parse_row({**FLAT, "images": []}, where="x").images == ()
    assert parse_row({**FLAT, "images": ["a.png", "b.png"]}, where="x").images == ("a.png", "b.png")
    assert parse_row({**FLAT, "solution": {"bbox": [1, 2]}}, where="x").solution == '{"bbox": [1, 2]}'


@pytest.mark.parametrize(
    "change, message",
    [
        ({"id": ""}, "column 'id'"),
        ({"problem": None}, "column 'problem': Input should be a valid string, found None"),
        ({"solution": ""}, "column 'solution'"),
        ({"images": ["/etc/a.png"]}, "must be relative"),
        ({"images": ["../a.png"]}, "must be relative"),
        ({"images": "a.png"}, "column 'images'"),
    ],
)
def test_a_bad_row_is_one_line_with_its_place(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as raised:
        parse_row({**FLAT, **change}, where="rows.jsonl line 7")
    assert str(raised.value).startswith("rows.jsonl line 7: ")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("column", ["id", "images", "problem", "solution", "task"])
def test_a_missing_column_is_named(column: str) -> None:
    with pytest.raises(UserError, match=f"row 3: column '{column}' is missing"):
        parse_row({name: value for name, value in FLAT.items() if name != column}, where="row 3")


def test_meta_must_not_hide_a_field() -> None:
    row = parse_row(FLAT, where="x").model_copy(update={"meta": {"task": "other"}})
    with pytest.raises(ValueError, match="reserved columns"):
        row.flat()


def test_an_id_that_occurs_twice_is_named() -> None:
    rows = [Row(**{**{k: FLAT[k] for k in ("images", "problem", "solution", "task")}, "id": i}) for i in "abca"]
    check_unique(rows[:3], where="x")
    with pytest.raises(UserError, match=r"x: id 'a' occurs twice"):
        check_unique(rows, where="x")
