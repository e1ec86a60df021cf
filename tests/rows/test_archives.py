"""One large file: resumed where it stopped, checked, unpacked once; servers that misbehave."""

import hashlib
import io
import re
import zipfile

import pytest

from picture_server import answer, reset
from vlm_grpo.errors import UserError
from vlm_grpo.rows.archives import Archive, fetch, unpack
from vlm_grpo.rows.download import Policy

QUICK = Policy(retries=3, pause=0.01, timeout=5)


def zipped(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/") + ".txt", content)
    return buffer.getvalue()


CONTENT = zipped(a="first" * 1000, folder__b="second" * 1000)


def ranged(content, *, stop=None):
    """Answer a range as asked; `stop` bytes at most, though more are announced."""

    def send(handler):
        asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        handler.server.starts = [*getattr(handler.server, "starts", []), start]
        handler.send_response(206 if asked else 200)
        handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        handler.wfile.write(content[start:][:stop])
        handler.close_connection = True

    return send


def archive(server, content=CONTENT):
    return Archive(f"{server.address}/zips/a.zip", len(content), hashlib.md5(content).hexdigest())


def test_what_was_cut_off_goes_on_where_it_stopped(picture_server, tmp_path):
    picture_server.script["/zips/a.zip"] = [ranged(CONTENT, stop=100), reset, ranged(CONTENT, stop=50), ranged(CONTENT)]
    path = fetch(archive(picture_server), tmp_path, QUICK)
    assert path.read_bytes() == CONTENT
    assert picture_server.starts == [0, 100, 150]
    fetch(archive(picture_server), tmp_path, QUICK)
    assert picture_server.hits["/zips/a.zip"] == 4
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.zip"]


def test_a_partial_file_under_the_final_name_is_not_taken_for_the_whole(picture_server, tmp_path):
    """The original took any file of that name for complete."""
    (tmp_path / "a.zip").write_bytes(CONTENT[:120])
    picture_server.script["/zips/a.zip"] = [ranged(CONTENT)]
    assert fetch(archive(picture_server), tmp_path, QUICK).read_bytes() == CONTENT
    assert picture_server.starts == [120]


def test_a_server_without_ranges_starts_again(picture_server, tmp_path):
    (tmp_path / "a.zip.part").write_bytes(b"x" * 120)
    picture_server.script["/zips/a.zip"] = [answer(200, CONTENT)]
    assert fetch(archive(picture_server), tmp_path, QUICK).read_bytes() == CONTENT


def test_another_file_is_refused_and_removed(picture_server, tmp_path):
    picture_server.script["/zips/a.zip"] = [answer(200, CONTENT[:-1] + b"?")]
    with pytest.raises(UserError, match="arrived, expected"):
        fetch(archive(picture_server), tmp_path, QUICK)
    assert not any(tmp_path.iterdir())


def test_a_refusal_is_told_at_once_and_keeps_what_is_here(picture_server, tmp_path):
    (tmp_path / "a.zip.part").write_bytes(CONTENT[:120])
    picture_server.script["/zips/a.zip"] = [answer(404)]
    with pytest.raises(UserError, match=r"HTTP 404 .*go on behind the 120 bytes"):
        fetch(archive(picture_server), tmp_path, QUICK)
    assert picture_server.hits["/zips/a.zip"] == 1
    assert (tmp_path / "a.zip.part").read_bytes() == CONTENT[:120]


def test_unpacking_does_only_what_is_missing(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(CONTENT)
    assert unpack(path, tmp_path / "out", wanted=lambda name: name.startswith("folder/")) == 1
    assert unpack(path, tmp_path / "out") == 1
    assert unpack(path, tmp_path / "out") == 0
    (tmp_path / "out" / "a.txt").write_text("cut off")
    assert unpack(path, tmp_path / "out") == 1
    assert (tmp_path / "out" / "folder" / "b.txt").read_text() == "second" * 1000


@pytest.mark.parametrize("content, line", [(b"no zip", "is damaged"), (zipped(__x="out"), "lies outside of it")])
def test_what_is_no_archive_is_one_line(content, line, tmp_path):
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(UserError, match=line):
        unpack(tmp_path / "a.zip", tmp_path / "out")
