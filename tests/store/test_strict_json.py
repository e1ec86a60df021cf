import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlm_grpo.store import strict_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=4), part, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_what_is_written_is_read_back(value):
    assert strict_json.parse(strict_json.render(value)) == value
    assert strict_json.parse(json.dumps(value)) == value, "escapes of whole pairs are characters"


@pytest.mark.parametrize(
    "text, message",
    [
        ("NaN", "NaN is no finite number"),
        ('{"a": [-Infinity]}', "-Infinity is no finite number"),
        ("[1e400]", "1e400 is no finite number"),
        ('{"a": 1, "b": 2, "a": 1}', "key 'a' is given twice"),
        ('[{"x": {"a": 1, "a": 2}}]', "key 'a' is given twice"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ('{"a": 1', "delimiter"),
        ("", "Expecting value"),
    ],
)
def test_what_is_no_json_is_told(text, message):
    with pytest.raises(ValueError, match=message):
        strict_json.parse(text)


def test_halves_of_pairs_are_no_characters():
    text = r'{"\ud83d": ["a\ude00b", "\ud83d\ude00", "\\ud83d"], "n": 1.5}'
    assert strict_json.parse(text) == {"\ufffd": ["a\ufffdb", "😀", "\\ud83d"], "n": 1.5}


@pytest.mark.parametrize("value", [float("nan"), {"a": [float("inf")]}])
def test_no_writer_writes_nan(value):
    with pytest.raises(ValueError, match="JSON"):
        strict_json.render(value)


def test_the_first_key_given_twice_is_named():
    assert strict_json.repeated_key('{"a": {"b": 1, "b": 2}, "c": 1, "c": 2}') == "b"
    assert strict_json.repeated_key('[{"a": 1}, {"a": 1}]') is None
