import pytest

from vlm_grpo import text_files
from vlm_grpo.errors import UserError
from vlm_grpo.store import jsonl, manifest

TEXT = '{"name": "café"}\n{"name": "b"}\n'
WHOLE = {
    "plain": TEXT.encode(),
    "with a mark": TEXT.encode("utf-8-sig"),
    "Windows lines": TEXT.replace("\n", "\r\n").encode(),
    "no last newline": TEXT.rstrip().encode(),
    "blank lines": TEXT.replace("\n", "\n \n\n").encode(),
    "two files in one": b"".join(part.encode("utf-8-sig") for part in TEXT.splitlines(keepends=True)),
}
OTHERS = {
    "UTF-16": TEXT.encode("utf-16"),
    "UTF-16 the other way": b"\xfe\xff" + TEXT.encode("utf-16-be"),
    "UTF-32": TEXT.encode("utf-32"),
    "UTF-16 without a mark": TEXT.encode("utf-16-le"),
    "Latin-1": TEXT.encode("latin-1"),
    "a picture": b"\x89PNG\r\n\x1a\n\0\0",
}


@pytest.mark.parametrize("content", WHOLE.values(), ids=WHOLE)
def test_every_row_of_an_input_is_read(tmp_path, content):
    path = tmp_path / "input.jsonl"
    path.write_bytes(content)
    assert [record["name"] for _, record in jsonl.read_input(path)] == ["café", "b"]


@pytest.mark.parametrize("read", [lambda p: list(jsonl.read_input(p)), jsonl.read, jsonl.read_list, manifest.read_json])
@pytest.mark.parametrize("content", OTHERS.values(), ids=OTHERS)
def test_another_encoding_is_one_line(tmp_path, read, content):
    path = tmp_path / "input"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"input.*(UTF-8|NUL)"):
        read(path)


@pytest.mark.parametrize("read", [text_files.read_text, lambda p: list(jsonl.read_input(p)), jsonl.read_list])
def test_what_is_no_file_is_told(tmp_path, read):
    with pytest.raises(UserError, match="is missing"):
        read(tmp_path / "absent")
    with pytest.raises(UserError, match="is no file"):
        read(tmp_path)


def test_text_stays_as_it_is_but_for_the_mark(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffä\r\nb\u2028c\n".encode())
    assert text_files.read_text(path) == "ä\r\nb\u2028c\n"
    assert text_files.read_lines(path) == ["ä", "b\u2028c"]


@pytest.mark.parametrize(
    "content, message",
    [
        ("[]", "empty list"),
        ("{}", "expected a JSON list, found dict"),
        ("[{}, 3]", "row 1: expected a JSON object, found int"),
        ('[{"a": 1, "a": 2}]', "key 'a' is given twice"),
        ("[{", "damaged JSON"),
    ],
)
def test_a_list_that_is_none_is_told(tmp_path, content, message):
    path = tmp_path / "list.json"
    path.write_text(content)
    with pytest.raises(UserError, match=message):
        jsonl.read_list(path)


@pytest.mark.parametrize("bad", ['{"a": NaN}', '{"a": 1, "a": 2}', "[1]"])
def test_a_line_that_is_no_json_object_is_named(tmp_path, bad):
    path = tmp_path / "input.jsonl"
    path.write_text(f'{{"a": 1}}\n{bad}\n')
    for read in (jsonl.read, lambda p: list(jsonl.read_input(p))):
        with pytest.raises(UserError, match=r"input.jsonl line 2: "):
            read(path)


def test_a_torn_last_line_is_left_out_of_stores_only(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n{"a": ')
    assert jsonl.read(path) == jsonl.read(path, is_finished=True) == [{"a": 1}]
    with pytest.raises(UserError, match="line 2: not JSON"):
        list(jsonl.read_input(path))
    path.write_text('{"a": 1}\n{"a": 2}')
    assert jsonl.read(path) == [{"a": 1}]
    assert (
        jsonl.read(path, is_finished=True) == [record for _, record in jsonl.read_input(path)] == [{"a": 1}, {"a": 2}]
    )


def test_the_files_of_a_checkpoint_may_hold_what_python_writes(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"limit": Infinity}')
    assert manifest.read_json(path, is_ours=False) == {"limit": float("inf")}
    with pytest.raises(UserError, match="damaged JSON"):
        manifest.read_json(path)
