"""YAML files that build on others: which value counts, where each one comes from, and what is refused."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from vlm_grpo.errors import UserError
from vlm_grpo.study.schema import read_study
from vlm_grpo.yaml_layers import Layers, read_layers, traced


def write(folder, **files):
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)


def test_later_files_and_the_file_itself_win_and_sources_are_kept(tmp_path):
    write(
        tmp_path,
        first="a: 1\nb: 1\nc: 1\ninner: {x: 1, y: 1}\nlist: [1, 2]",
        second="b: 2\nc: 2\ninner: {y: 2}",
        top="extends: [first.yaml, second.yaml]\nc: 3\nlist: [3]",
    )
    layers = read_layers(tmp_path / "top.yaml")
    assert layers.values == {"a": 1, "b": 2, "c": 3, "inner": {"x": 1, "y": 2}, "list": [3]}
    sources = [layers.source(key).removeprefix(f"{tmp_path}/") for key in ("a", "b", "c", "inner", "list")]
    assert sources == ["first.yaml", "second.yaml", "top.yaml", "second.yaml", "top.yaml"]
    assert layers.source("inner", "x").endswith("first.yaml")
    assert layers.source("inner", "y").endswith("second.yaml")
    assert layers.source("absent") == str(tmp_path / "top.yaml")


def test_extends_is_relative_to_the_file_that_says_it(tmp_path, monkeypatch):
    (tmp_path / "deep").mkdir()
    write(tmp_path, common="a: 1", middle="extends: common.yaml\nb: 2")
    write(tmp_path / "deep", top="extends: ../middle.yaml\nc: 3")
    monkeypatch.chdir(tmp_path)
    layers = read_layers(Path("deep/top.yaml"))
    assert layers.values == {"a": 1, "b": 2, "c": 3}
    assert [layers.source(key) for key in "abc"] == ["common.yaml", "middle.yaml", "deep/top.yaml"]


def test_one_file_may_be_extended_on_two_ways(tmp_path):
    write(tmp_path, common="a: 1\nb: 1", left="extends: common.yaml\na: 2", right="extends: common.yaml")
    write(tmp_path, top="extends: [right.yaml, left.yaml]")
    assert read_layers(tmp_path / "top.yaml").values == {"a": 2, "b": 1}


def test_the_command_line_lies_over_the_files(tmp_path):
    write(tmp_path, top="a: 1\ninner: {x: 1}")
    layers = read_layers(tmp_path / "top.yaml")
    layers.add({"inner": {"y": 2}}, "the command line")
    assert layers.values == {"a": 1, "inner": {"x": 1, "y": 2}}
    assert layers.source("inner", "y") == "the command line"
    assert layers.source("inner", "x").endswith("top.yaml")
    assert Layers("nothing").source("a") == "nothing"


@pytest.mark.parametrize(
    "files, message",
    [
        ({"top": "extends: top.yaml"}, r"top\.yaml extends itself: \S+top\.yaml → \S+top\.yaml; remove one"),
        ({"top": "extends: a.yaml", "a": "extends: ./top.yaml"}, r"top\.yaml → \S+a\.yaml → \S+top\.yaml"),
        ({"top": "extends: absent.yaml"}, r"absent\.yaml: no such file; \S+top\.yaml extends it"),
        ({"top": "extends: 3"}, r"top\.yaml: key 'extends': expected a YAML file, or a list"),
        ({"top": "extends: [a.yaml, [b]]"}, "key 'extends': expected"),
        ({"top": "extends: a.yaml", "a": "- 1"}, r"a\.yaml: expected one 'key: value' a line"),
        ({"top": "extends: a.yaml", "a": "x: [1"}, r"a\.yaml: not YAML"),
        ({"top": "a: 1\nb: 2\na: 3"}, r"top\.yaml line 3: key 'a' is given twice; remove one"),
        ({"top": "inner:\n  a: 1\n  a: 2"}, "line 3: key 'a' is given twice"),
    ],
)
def test_mistakes_are_one_line(tmp_path, files, message):
    write(tmp_path, **files)
    with pytest.raises(UserError, match=message):
        read_layers(tmp_path / "top.yaml")


@pytest.mark.parametrize(
    "content, message",
    [
        ("a: é".encode("latin-1"), "top.yaml line 1: not UTF-8"),
        ("a: é".encode("utf-16"), "top.yaml is encoded in UTF-16"),
        ("a: é".encode("utf-16-le"), "NUL"),
    ],
    ids=["Latin-1", "UTF-16", "UTF-16 without a mark"],
)
def test_another_encoding_is_one_line(tmp_path, content, message):
    (tmp_path / "top.yaml").write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_layers(tmp_path / "top.yaml")


def test_a_byte_order_mark_is_passed_over(tmp_path):
    (tmp_path / "top.yaml").write_bytes("a: é\n".encode("utf-8-sig"))
    assert read_layers(tmp_path / "top.yaml").values == {"a": "é"}


def test_anchors_and_merge_keys_are_not_keys_given_twice(tmp_path):
    write(tmp_path, top="a: &a {x: 1, y: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b, y: 3}\nd: *a")
    assert read_layers(tmp_path / "top.yaml").values["c"] == {"x": 1, "y": 3}


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], include_characters="\n"), max_size=40)
VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS
SETTINGS = st.dictionaries(
    st.from_regex(r"[a-z_]{1,40}", fullmatch=True),
    VALUES | st.lists(VALUES) | st.dictionaries(WORDS, VALUES),
    min_size=1,
)


@settings(max_examples=50)
@given(SETTINGS)
def test_traced_settings_are_the_settings_whatever_they_hold(values):
    """The places are comments: what is printed can be saved as a config."""
    first = next(iter(values))
    text = traced(values, {first: "configs/some file.yaml"})
    assert yaml.safe_load(text) == values
    assert text.count("# configs/some file.yaml") >= 1


def test_traced_settings_name_their_places():
    text = traced({"a": [1, "x"], "b": "two\nlines", "c": None}, {"a": "a.yaml", "b": "the command line"})
    assert text.splitlines()[0].split("  ")[0] == "a: [1, x]"
    assert text.splitlines()[0].endswith(" # a.yaml")
    assert text.splitlines()[1] == "# the command line"
    assert text.splitlines()[-1].split() == ["c:", "null", "#", "default"]


def test_a_study_reads_scalars_as_every_config_does(tmp_path):
    minimal = "title: 010\nresults: r\nwork: w\ndatasets: {}\n"
    write(tmp_path, good=f"{minimal}seeds: [010, 0x10]\n", colon=f"{minimal}seeds: [1:40]\n", null=f"{minimal}seeds:\n")
    write(tmp_path, no=f"{minimal}seeds: [no]\n")
    with pytest.raises(UserError, match=r"good\.yaml: title: input should be a valid string \(here: 10\)"):
        read_study(read_layers(tmp_path / "good.yaml"))
    layers = read_layers(tmp_path / "good.yaml")
    layers.add({"title": "good"}, "the command line")
    assert read_study(layers).seeds == [10, 16]
    for name in ("colon", "no", "null"):
        layers = read_layers(tmp_path / f"{name}.yaml")
        layers.add({"title": "bad"}, "the command line")
        with pytest.raises(UserError, match=rf"{name}\.yaml: seeds.*valid"):
            read_study(layers)
