import subprocess
import sys
from pathlib import Path

import pytest

from vlm_grpo.errors import UserError
from vlm_grpo.store import jsonl


def test_what_is_appended_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "store.jsonl"
    assert jsonl.read(path) == []
    with jsonl.Appender(path) as store:
        store.append([{"id": 1, "text": "zwei\nZeilen\u2028"}, {"id": 2}])
        assert jsonl.read(path) == [{"id": 1, "text": "zwei\nZeilen\u2028"}, {"id": 2}]
        store.append([])
    with jsonl.Appender(path) as store:
        store.append([{"id": 3}])
    assert [record["id"] for record in jsonl.read(path)] == [1, 2, 3]


@pytest.mark.parametrize("torn", [b'{"id": 3, "te', b"\xff\xfe", b"x" * 200_000, b'{"id": 3}'])
def test_a_torn_last_line_is_left_out_and_cut_off(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "store.jsonl"
    whole = b'{"id": 1}\n{"id": 2}\n'
    path.write_bytes(whole + torn)
    assert [record["id"] for record in jsonl.read(path)] == [1, 2]
    with jsonl.Appender(path) as store:
        store.append([{"id": 4}])
    assert path.read_bytes() == whole + b'{"id": 4}\n'


def test_a_file_of_one_torn_line_starts_anew(tmp_path: Path) -> None:
    path = tmp_path / "store.jsonl"
    path.write_bytes(b'{"id"')
    with jsonl.Appender(path) as store:
        store.append([{"id": 1}])
    assert jsonl.read(path) == [{"id": 1}]


@pytest.mark.parametrize("bad", [b"{]", b"", b"[1]", b'"text"', b"\xff"])
def test_a_bad_line_in_the_middle_is_named(tmp_path: Path, bad: bytes) -> None:
    path = tmp_path / "store.jsonl"
    path.write_bytes(b'{"id": 1}\n' + bad + b'\n{"id": 2}\n')
    with pytest.raises(UserError, match=f"{path} line 2: "):
        jsonl.read(path)


def test_what_json_cannot_say_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with jsonl.Appender(tmp_path / "store.jsonl") as store, pytest.raises(ValueError, match="JSON"):
        store.append([{"id": 1}, {"loss": float("nan")}])
    assert (tmp_path / "store.jsonl").read_bytes() == b""


def test_a_kill_keeps_what_was_appended(tmp_path: Path) -> None:
    path = tmp_path / "store.jsonl"
    script = (
        "import os, pathlib, signal, sys\n"
        "from vlm_grpo.store import jsonl\n"
        "store = jsonl.Appender(pathlib.Path(sys.argv[1]))\n"
        "store.append([{'id': i} for i in range(100)])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert done.returncode == -9
    assert len(jsonl.read(path)) == 100


def test_an_input_counts_its_last_line_and_numbers_all(tmp_path: Path) -> None:
    path = tmp_path / "input.jsonl"
    path.write_bytes(b'{"id": 1}\n\n{"id": 2}\r\n{"id": 3}')
    assert list(jsonl.read_input(path)) == [(1, {"id": 1}), (3, {"id": 2}), (4, {"id": 3})]
    with pytest.raises(UserError, match="is missing"):
        list(jsonl.read_input(tmp_path / "none.jsonl"))


def test_write_replaces_the_file(tmp_path: Path) -> None:
    jsonl.write(tmp_path / "a.jsonl", [{"id": 1}, {"id": 2}])
    jsonl.write(tmp_path / "a.jsonl", [{"id": 3}])
    assert jsonl.read(tmp_path / "a.jsonl") == [{"id": 3}]
    assert [file.name for file in tmp_path.iterdir()] == ["a.jsonl"]


def test_what_no_encoding_carries_is_replaced(tmp_path: Path) -> None:
    records = [{"a\udc00": "\ud83d b"}, {"pair": "\U0001f600", "nul": "\0", "separator": "\u2028"}]
    jsonl.write(tmp_path / "a.jsonl", records)
    with jsonl.Appender(tmp_path / "a.jsonl") as file:
        file.append(records, durable=False)
    assert jsonl.read(tmp_path / "a.jsonl") == [{"a\ufffd": "\ufffd b"}, records[1]] * 2


def test_whole_records_are_read_around_odd_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a": 1}\n\n\0\0\0\n[]\n{"a": \xff}\n' + b"[" * 100_000 + b'\n{"a": 2}\n{"a": 3')
    assert jsonl.read_whole(path) == ([{"a": 1}, {"a": 2}], [2, 3, 4, 5, 6])
    assert jsonl.read_whole(tmp_path / "absent.jsonl") == ([], [])
