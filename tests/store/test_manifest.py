import json
from pathlib import Path

import pytest

from vlm_grpo.errors import UserError
from vlm_grpo.store import atomic, manifest

RUN = {"kind": "test", "seed": 1, "files": ["a", "b"]}


def write(folder: Path, kind: str = "test") -> None:
    manifest.write(folder, kind=kind, config={"a": 1}, inputs={}, counts={"rows": 2}, seconds=1.5, extra="more")


def test_the_same_run_may_go_on(tmp_path: Path) -> None:
    manifest.claim(tmp_path / "out", RUN)
    (tmp_path / "out" / "partial.bin").touch()
    manifest.claim(tmp_path / "out", {"files": ("a", "b"), "seed": 1, "kind": "test"})


def test_another_run_is_refused_and_the_difference_told(tmp_path: Path) -> None:
    manifest.claim(tmp_path, RUN)
    with pytest.raises(
        UserError, match=r"belongs to another run \(more: null there, true asked; seed: 1 there, 2 asked"
    ):
        manifest.claim(tmp_path, {**RUN, "seed": 2, "more": True})
    assert manifest.read_json(tmp_path / manifest.IDENTITY) == RUN


def test_files_of_unknown_origin_are_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(UserError, match=r"is not empty and has no run\.json"):
        manifest.claim(tmp_path, RUN)


def test_what_a_killed_claim_left_does_not_block_the_next(tmp_path: Path) -> None:
    (tmp_path / ".run.json.4711.tmp").write_text("{")
    manifest.claim(tmp_path, RUN)


def test_a_file_in_the_way_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is a file; choose a folder"):
        manifest.claim(tmp_path / "file", RUN)
    with pytest.raises(UserError, match="cannot make the folder"):
        manifest.claim(tmp_path / "file" / "below", RUN)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere" / "else")
    with pytest.raises(UserError, match="cannot make the folder"):
        manifest.claim(tmp_path / "dangling", RUN)


def test_a_manifest_says_what_was_done(tmp_path: Path) -> None:
    assert not manifest.exists(tmp_path)
    write(tmp_path)
    assert manifest.exists(tmp_path)
    written = manifest.read(tmp_path, kind="test")
    assert written["counts"] == {"rows": 2}
    assert written["seconds"] == 1.5
    assert written["extra"] == "more"
    assert written["packages"]["numpy"]
    assert written["hardware"]["cpus"] >= 1


def test_a_result_that_is_not_there_unfinished_or_another_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        manifest.read(tmp_path / "none")
    with pytest.raises(UserError, match="is not finished"):
        manifest.read(tmp_path)
    write(tmp_path)
    with pytest.raises(UserError, match="kind 'test', not 'dataset'"):
        manifest.read(tmp_path, kind="dataset")
    (tmp_path / manifest.MANIFEST).write_text('{"kind":')
    with pytest.raises(UserError, match="damaged JSON"):
        manifest.read(tmp_path)
    (tmp_path / manifest.MANIFEST).write_text("[]")
    with pytest.raises(UserError, match="expected a JSON object"):
        manifest.read(tmp_path)


def test_a_failed_write_leaves_the_old_content(tmp_path: Path) -> None:
    atomic.write_json(tmp_path / "a.json", {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        atomic.write_json(tmp_path / "a.json", {"a": float("inf")})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": 1}


def test_what_is_only_noted_does_not_make_another_run(tmp_path: Path) -> None:
    manifest.claim(tmp_path / "out", {"a": 1, "place": "here"}, not_compared=["place"])
    manifest.claim(tmp_path / "out", {"a": 1, "place": "there"}, not_compared=["place"])
    with pytest.raises(UserError, match="a: 1 there, 2 asked"):
        manifest.claim(tmp_path / "out", {"a": 2, "place": "here"}, not_compared=["place"])


def test_a_manifest_is_withdrawn_when_something_is_pending_again(tmp_path: Path) -> None:
    manifest.withdraw(tmp_path)
    manifest.write(tmp_path, kind="k", config={"text": "\ud800"}, inputs={}, counts={}, seconds=1.0)
    assert manifest.read(tmp_path)["config"] == {"text": "\ufffd"}
    manifest.withdraw(tmp_path)
    assert not manifest.exists(tmp_path)
