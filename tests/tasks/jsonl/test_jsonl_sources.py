"""Lists joined by `:`: what parts two elements, and what does not."""

from pathlib import Path

import pytest

from vlm_grpo.errors import UserError
from vlm_grpo.tasks.jsonl.sources import Source, pair, split_list


@pytest.mark.parametrize(
    "text, elements",
    [
        ("a.jsonl", ["a.jsonl"]),
        ("a.jsonl:b.jsonl", ["a.jsonl", "b.jsonl"]),
        ("", [""]),
        (":x", ["", "x"]),
        ("x::y:", ["x", "", "y", ""]),
        (r"C:\data\a.jsonl:D:/b.jsonl", [r"C:\data\a.jsonl", "D:/b.jsonl"]),
        ("C:x", ["C", "x"]),
        ("s3://bucket/a.jsonl:gs://b/c", ["s3://bucket/a.jsonl", "gs://b/c"]),
        ("http://host:8080/a:https://host/b", ["http://host:8080/a", "https://host/b"]),
        ("http://host:8080:x", ["http://host:8080", "x"]),
        ("http://host:x", ["http://host", "x"]),
        ("/data/a.jsonl:C:/b:s3://c/d:e", ["/data/a.jsonl", "C:/b", "s3://c/d", "e"]),
    ],
)
def test_only_colons_between_elements_part(text, elements):
    assert split_list(text) == elements


def test_lists_are_paired_by_position():
    assert pair("a.jsonl:b.jsonl", "x:", "mcq:yes_no") == [
        Source(Path("a.jsonl"), "x", "mcq"),
        Source(Path("b.jsonl"), "", "yes_no"),
    ]
    assert pair("d/a.jsonl", None, None) == [Source(Path("d/a.jsonl"), "d", "default")]


@pytest.mark.parametrize(
    "lists, message",
    [
        (("a:b", "x", None), "--image_folders has 1 elements and --data_file_paths 2"),
        (("a", "x", "mcq:mcq"), "--reward_method has 2 elements and --data_file_paths 1"),
        (("a:", "x:y", None), "has an empty element"),
        (("a", "x", "best"), 'accu_reward_method "best" is not known here; known: default, mcq, yes_no, '),
        (
            ("a", "x", "weighted_sum"),
            r'"weighted_sum" is not known here \(it compares lists of boxes, .*\); known: default, ',
        ),
        (("s3://b/a.jsonl", "x", None), "s3://b/a.jsonl is an address, and own data are read from disk"),
        (("a", "http://h/x", None), "http://h/x is an address"),
    ],
)
def test_lists_that_do_not_fit_are_one_line(lists, message):
    with pytest.raises(UserError, match=message):
        pair(*lists)
