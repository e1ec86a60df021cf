"""Scalars as YAML 1.2 reads them, whole files that are none, and texts that come back as they were."""

import math

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from vlm_grpo import yaml_scalars
from vlm_grpo.errors import UserError


def load(folder, text):
    path = folder / "a.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return yaml_scalars.load(path)


@pytest.mark.parametrize(
    "text, value",
    [
        ("010", 10),
        ("-007", -7),
        ("+3", 3),
        ("0o10", 8),
        ("0x1F", 31),
        ("1e-5", 1e-5),
        ("1.", 1.0),
        (".5", 0.5),
        ("-1.5E+3", -1500.0),
        ("-.inf", -math.inf),
        ("true", True),
        ("FALSE", False),
        ("", None),
        ("~", None),
        ("Null", None),
        *((word, word) for word in ("no", "No", "off", "yes", "on", "y", "n", "none", "nil", "tRue")),
        *(
            (text, text)
            for text in ("1:40", "190:20:30", "1_000", "2026-01-01", "0b1", "0o9", "1e", ".", "e5", "=", "nan")
        ),
        ("'010'", "010"),
        ('"true"', "true"),
        ("!!str 010", "010"),
        ("!!int '010'", 10),
        ("!!float 1", 1.0),
    ],
)
def test_a_scalar_is_what_yaml_1_2_says(tmp_path, text, value):
    loaded = load(tmp_path, f"a: {text}")["a"]
    assert loaded == value
    assert isinstance(loaded, type(value))


def test_not_a_number_is_one(tmp_path):
    assert math.isnan(load(tmp_path, "a: .nan")["a"])


@pytest.mark.parametrize("text", ["010", "1.10", "1e-5", "-3", "+0.50", "word", "true", "false", ".inf"])
def test_a_number_is_a_word_as_it_is_written(tmp_path, text):
    expected = {".inf": "inf"}.get(text, text)
    assert yaml_scalars.as_word(load(tmp_path, f"a: {text}")["a"]) == expected


@pytest.mark.parametrize(
    "text, message",
    [
        ("a: 1\na: 2", "line 2: key 'a' is given twice; remove one"),
        ("a: {b: 1, b: 2}", "line 1: key 'b' is given twice"),
        ("a:\n  - {b: 1}\n  - c: 1\n    c: 2", "line 4: key 'c' is given twice"),
        ("a: 1\n'a': 2", "line 2: key 'a' is given twice"),
        ("a: [1", "not YAML"),
        ("a: !!int many", "not YAML .*'many' is no int"),
        ("a: !!python/object/apply:os.getcwd []", "not YAML"),
        ("a: 1\n---\nb: 2", "not YAML .*single document"),
        ("a: \x01", "not YAML"),
        ("a: Größe".encode("latin-1"), "not UTF-8"),
        ("[" * 5000, "not YAML"),
        ("? [a]\n: 1", "not YAML"),
    ],
)
def test_what_is_no_yaml_is_one_line_naming_the_file(tmp_path, text, message):
    with pytest.raises(UserError, match=rf"^(config )?{tmp_path}/a\.yaml.*{message}"):
        load(tmp_path, text)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path, encoding):
    assert load(tmp_path, "größe: 1\nb: 2\n".encode(encoding)) == {"größe": 1, "b": 2}


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12)
ODD = st.sampled_from(
    ["010", "1:40", "no", "off", "1e5", "2026-01-01", "0o7", ".inf", "~", "", "<<", "=", "1_0", "true"]
)
VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS | ODD


@settings(max_examples=100)
@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), VALUES | st.lists(VALUES), min_size=1))
def test_what_is_dumped_is_read_back_by_either_version(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("dumped") / "a.yaml"
    path.write_text(yaml_scalars.dump(values), encoding="utf-8")
    assert yaml_scalars.load(path) == values
    assert yaml.safe_load(path.read_text(encoding="utf-8")) == values
    path.write_text(yaml_scalars.dump(yaml_scalars.load(path)), encoding="utf-8")
    assert yaml_scalars.load(path) == values
