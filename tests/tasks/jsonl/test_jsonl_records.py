"""Records as people write them: what is read of each, and what is wrong with those that cannot be used."""

import json
from pathlib import Path

import pytest

from own_records import record, write
from vlm_grpo.tasks.jsonl import build, records
from vlm_grpo.tasks.jsonl.methods import METHODS
from vlm_grpo.tasks.jsonl.sources import Source, pair
from vlm_grpo.tasks.jsonl.task import METHOD, answer

ROOT = Path(__file__).parents[3]
GUI = ROOT.parent / "shared" / "data" / "gui_multi-image.jsonl"


def read(path, *lines, method="default"):
    return records.read(Source(write(path / "own.jsonl", lines), "pictures", method))


@pytest.mark.skipif(not GUI.is_file(), reason=f"the real file is not at {GUI}")
def test_the_real_file_of_two_screenshots_loads_as_it_is():
    own = build.read(pair(str(GUI), "pictures", "all_match"))
    rows = build.rows(own)
    assert (len(rows), own.faults, rows[0].id, len(own.pictures())) == (1797, [], "1", 3594)
    assert rows[0].images == tuple(f"images/0/GOOGLE_APPS-13827913961707074815_{n}.png" for n in (13, 14))
    assert {row.solution for row in rows} == {"Operation No Response", "Unexpected Task Result"}
    assert build.summary(rows) == (
        "1797 rows (1797 with 2 pictures; 0 place theirs in the text), 3594 pictures; scored by all_match 1797"
    )


def test_one_picture_several_and_none(tmp_path):
    good, faults = read(
        tmp_path,
        record("Is it wet?", "Yes"),
        record("<image>What is it?", "a bus", "a.png"),
        record("First <image> then <image>?", "a bus", ["a.png", "/abs/b.png"], id="x"),
        record("Both?", "a bus", ["a.png", "b.png"], id=7),
        record("None?", "a bus", []),
    )
    assert faults == []
    assert [r.pictures for r in good] == [
        (),
        (Path("pictures/a.png"),),
        (Path("pictures/a.png"), Path("/abs/b.png")),
        (Path("pictures/a.png"), Path("pictures/b.png")),
        (),
    ]
    assert [r.id for r in good] == [None, None, "x", "7", None]
    assert good[2].problem == "First <image> then <image>?"


@pytest.mark.parametrize(
    "answer, solution",
    [
        ("a bus", "a bus"),
        ("<answer> a bus </answer>", "a bus"),
        ("<think> <answer> </think> it has wheels <answer>a bus</answer>", None),
        ("<think> wheels </think><answer>a bus</answer>", "a bus"),
        (3, "3"),
        (2.5, "2.5"),
        (True, "true"),
        ([1, 2], "[1, 2]"),
        ({"a": 'ö "x"', "b": None}, '{"a": "ö \\"x\\"", "b": null}'),
    ],
)
def test_an_answer_is_text_or_json(tmp_path, answer, solution):
    good, faults = read(tmp_path, record("What?", answer))
    assert [r.solution for r in good] == ([] if solution is None else [solution])
    assert len(faults) == (solution is None)


def test_methods_of_the_file_and_of_the_record(tmp_path):
    good, faults = read(
        tmp_path, record("Which?", "(B)"), record("Is it?", "no", accu_reward_method="yes_no"), method="mcq"
    )
    assert ([r.method for r in good], faults) == (["mcq", "yes_no"], [])


@pytest.mark.parametrize(
    "method, solution, kind",
    [
        ("default", "18", "number"),
        ("default", "2.5", "number"),
        ("default", "[1, 2]", "numbers"),
        ("default", "B", "choice"),
        ("default", "a", "text"),
        ("default", "a bus", "text"),
        ("default", "[a]", "text"),
        ("all_match", "18", "text"),
        ("mcq", "B", "choice"),
        ("yes_no", "No", "yes_no"),
        ("true_false", "False", "truth"),
        ("number", "7", "number"),
        ("math", "x = 7", "formula"),
    ],
)
def test_a_method_says_how_an_answer_is_read(tmp_path, method, solution, kind):
    own = build.read([Source(write(tmp_path / "own.jsonl", [record("What?", solution)]), "", method)])
    (row,) = build.rows(own)
    assert row.meta[METHOD] == method in METHODS
    assert answer(row).name == kind
    assert "whole" not in answer(row).asks


def test_bad_records_are_all_told_with_their_lines(tmp_path):
    two = {"from": "gpt", "value": "b"}
    lines = {
        "": None,
        "{": "not JSON",
        "[1]": "expected a JSON object, found list",
        '{"id": 1, "id": 2}': "key 'id' is given twice",
        '{"id": 1}': "'conversations' is no list of turns",
        json.dumps({"conversations": [two]}): "'conversations' has 1 turns",
        json.dumps({"conversations": [two, two]}): "a turn is from 'gpt' where human is expected",
        json.dumps({"conversations": [{"value": "a"}, {"from": "gpt"}]}): "the turn of gpt has no 'value'",
        json.dumps(record(["a"], "b")): "the question is list, not text",
        json.dumps(record("<image>", "b", "a.png")): "the question is empty",
        json.dumps(record("a <image>", "b")): "holds <image> 1 times for 0 pictures",
        json.dumps(record("<image>?", "b", ["a.png", "b.png"])): "holds <image> 1 times for 2 pictures",
        json.dumps(record("<image><image>?", "b", "a.png")): "holds <image> 2 times for 1 pictures",
        json.dumps(record("a", "b", 3)): "'image' is neither a path nor a list of paths",
        json.dumps(record("a", "b", ["x.png", None])): "'image' is neither a path nor a list of paths",
        json.dumps(record("a", "b", "")): "'image' holds '', which names no file",
        json.dumps(record("a", "b", "https://host/a.png")): "is an address, and pictures are read from disk",
        json.dumps(record("a", " ")): "the answer is empty",
        json.dumps(record("a", "<answer>b</answer><answer>c</answer>")): "the answer has no single <answer> block",
        json.dumps(record("a", "b", accu_reward_method="odLength")): '"odLength" is not known here (it compares',
        json.dumps(record("a", "b", accu_reward_method=["mcq"])): 'accu_reward_method ["mcq"] is not known',
        json.dumps(record("a", "maybe", accu_reward_method="yes_no")): "'maybe' is neither Yes nor No",
        json.dumps(record("a", "b", task="mine")): "column 'task' has a name that the data set needs; rename it",
    }
    good, faults = read(tmp_path, *lines, record("a", "b"))
    told = {fault.line: fault for fault in faults}
    expected = {line: reason for line, reason in enumerate(lines.values(), start=1) if reason}
    assert [r.line for r in good] == [len(lines) + 1]
    assert told.keys() == expected.keys()
    for line, reason in expected.items():
        assert reason in told[line].reason
        assert str(told[line]).startswith(f"{tmp_path}/own.jsonl line {line}: ")


def test_marks_line_ends_blank_lines_and_other_alphabets(tmp_path):
    path = tmp_path / "own.jsonl"
    lines = [json.dumps(record("Où?", "là", id=n), ensure_ascii=False) for n in range(2)]
    path.write_bytes(b"\xef\xbb\xbf\r\n" + "\r\n \r\n".join(lines).encode() + b"\r\n\xff\r\n\r\n")
    good, faults = records.read(Source(path, "", "default"))
    assert [(r.problem, r.solution, r.id, r.line) for r in good] == [("Où?", "là", "0", 2), ("Où?", "là", "1", 4)]
    assert [(fault.line, fault.reason[:9]) for fault in faults] == [(5, "not UTF-8")]
