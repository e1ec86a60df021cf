"""VSR's pictures: each fetched once, from the host or a mirror; what is lost, cut off or killed on the way."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from picture_server import PictureServer, answer, cut_off, picture, png, silent, trickle
from vlm_grpo.rows import dataset
from vlm_grpo.store import jsonl, manifest
from vsr_builds import build, refused
from vsr_lines import line, write_lines, write_splits


def test_each_picture_is_fetched_once_for_all_rows_and_splits(picture_server: PictureServer, tmp_path: Path) -> None:
    build(tmp_path / "out", write_splits(tmp_path / "in", picture_server.address))
    assert picture_server.hits == {f"/train2017/{i}.png": 1 for i in range(6)}
    written = manifest.read(tmp_path / "out", kind=dataset.KIND)
    assert written["counts"] == {"train": 6, "validation": 2, "test": 2}
    assert written["shared_images"] == {"train-validation": 0, "train-test": 1, "validation-test": 0}
    assert written["inputs"]["source"]["captions_of_the_study"] == {"train": False, "validation": False, "test": False}


def test_a_complete_data_set_is_left_alone(picture_server: PictureServer, tmp_path: Path) -> None:
    source = write_splits(tmp_path / "in", picture_server.address)
    build(tmp_path / "out", source)
    before = (tmp_path / "out" / manifest.MANIFEST).read_bytes()
    build(tmp_path / "out", source)
    assert (tmp_path / "out" / manifest.MANIFEST).read_bytes() == before
    (tmp_path / "out" / "images" / "2.png").unlink()
    build(tmp_path / "out", source)
    assert picture_server.hits == {f"/train2017/{i}.png": 1 + (i == 2) for i in range(6)}


def test_rows_without_a_picture_are_dropped_with_the_reason_and_others_keep_their_ids(
    picture_server: PictureServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture_server.script = {
        "/train2017/0.png": [answer(404)],
        "/train2017/1.png": [cut_off],
        "/train2017/3.png": [answer(200, b"<html>", Content_Type="text/html")],
    }
    source, out = write_splits(tmp_path / "in", picture_server.address), tmp_path / "out"
    build(out, source)
    assert [row.id for row in dataset.load(out, "train")] == ["vsr-train-0004", "vsr-train-0005"]
    assert [row.id for row in dataset.load(out, "validation")] == ["vsr-validation-0001"]
    assert [row.id for row in dataset.load(out, "test")] == ["vsr-test-0001"]
    dropped = jsonl.read(out / "dropped.jsonl")
    assert manifest.read(out)["dropped"] == dropped
    assert {entry["id"]: entry["reason"].split(": ", 1)[1][:18] for entry in dropped} == {
        "vsr-train-0000": "HTTP 404 Not Found",
        "vsr-train-0001": "HTTP 404 Not Found",
        "vsr-train-0002": "RemoteProtocolErro",
        "vsr-train-0003": "RemoteProtocolErro",
        "vsr-validation-0000": "what arrived (text",
        "vsr-test-0000": "HTTP 404 Not Found",
    }
    assert "dropped 6 rows" in capsys.readouterr().out
    picture_server.script = {}
    build(out, source)
    assert len(dataset.load(out, "train")) == 6
    assert jsonl.read(out / "dropped.jsonl") == []
    assert [picture_server.hits[f"/train2017/{i}.png"] for i in range(6)] == [2, 2, 1, 2, 1, 1]


def test_a_split_that_lost_too_much_is_no_data_set(
    picture_server: PictureServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture_server.script = {"/train2017/1.png": [answer(404)], "/train2017/5.png": [answer(404)]}
    source, out = write_splits(tmp_path / "in", picture_server.address), tmp_path / "out"
    message = refused(capsys, "--out", out, "--jsonl", source, "--split", "train", "--max-dropped", "0.3")
    assert "2 of 6 rows of split 'train' were dropped" in message
    assert "1.png: HTTP 404 Not Found" in message
    assert not manifest.exists(out)
    assert len(jsonl.read(out / "dropped.jsonl")) == 2
    build(out, source, "--split", "train", "--max-dropped", "0.4")
    assert len(dataset.load(out, "train")) == 4


def test_a_split_that_lost_everything_is_no_data_set(
    picture_server: PictureServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture_server.default = answer(404)
    source = write_splits(tmp_path / "in", picture_server.address)
    assert "6 of 6 rows" in refused(capsys, "--out", tmp_path / "out", "--jsonl", source)
    assert not manifest.exists(tmp_path / "out")


def test_a_killed_run_goes_on_with_what_is_missing(picture_server: PictureServer, tmp_path: Path) -> None:
    late = {"/train2017/3.png": silent, "/train2017/4.png": trickle}
    picture_server.script = {path: [trouble] for path, trouble in late.items()}
    source, out = write_splits(tmp_path / "in", picture_server.address), tmp_path / "out"
    command = [sys.executable, "-m", "vlm_grpo.datasets.vsr", "--out", str(out), "--jsonl", str(source)]
    killed = subprocess.Popen([*command, "--workers", "6"], stderr=subprocess.DEVNULL)
    wait_until(lambda: len(picture_server.hits) == 6 and len(list((out / "images").glob("[0-9].png"))) == 4)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert not manifest.exists(out)
    assert sorted(file.name for file in (out / "images").glob("[0-9].png")) == ["0.png", "1.png", "2.png", "5.png"]
    picture_server.script = {}
    build(out, source)
    assert picture_server.hits == {f"/train2017/{i}.png": 1 + (i in (3, 4)) for i in range(6)}
    assert manifest.read(out)["counts"] == {"train": 6, "validation": 2, "test": 2}
    assert not list((out / "images").glob(".*"))


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_two_builders_in_one_folder_do_not_mix(
    picture_server: PictureServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture_server.default = silent
    source, out = write_splits(tmp_path / "in", picture_server.address), tmp_path / "out"
    command = [sys.executable, "-m", "vlm_grpo.datasets.vsr", "--out", str(out), "--jsonl", str(source)]
    first = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    wait_until(lambda: len(picture_server.hits) > 0)
    assert "another process is building" in refused(capsys, "--out", out, "--jsonl", source)
    first.kill()
    first.wait()


def test_a_mirror_takes_the_place_of_the_host(picture_server: PictureServer, tmp_path: Path) -> None:
    source = write_splits(tmp_path / "in", "http://images.invalid")
    build(tmp_path / "out", source, "--image-base-url", f"{picture_server.address}/coco/")
    assert picture_server.hits == {f"/coco/train2017/{i}.png": 1 for i in range(6)}
    row = dataset.load(tmp_path / "out", "train")[0]
    assert row.meta["image_link"] == "http://images.invalid/train2017/0.png"


def test_a_picture_is_what_its_whole_address_says(picture_server: PictureServer, tmp_path: Path) -> None:
    lines = [
        line(f"{i}.png", address="", image_link=f"http://host.invalid/view?id={i}&size=2", label=i) for i in range(2)
    ]
    picture_server.script = {
        f"/view?id={i}&size=2": [picture(png(color=color))] for i, color in enumerate(("red", "blue"))
    }
    write_lines(tmp_path / "a.jsonl", lines)
    build(tmp_path / "out", f"train={tmp_path / 'a.jsonl'}", "--image-base-url", picture_server.address)
    assert set(picture_server.hits) == set(picture_server.script)
    first, second = dataset.load(tmp_path / "out", "train")
    contents = [(tmp_path / "out" / row.images[0]).read_bytes() for row in (first, second)]
    assert contents == [png(color="red"), png(color="blue")]


def test_two_hosts_have_no_picture_in_common_on_a_mirror(
    picture_server: PictureServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    links = ["http://a.invalid/1.png", "http://b.invalid/1.png"]
    write_lines(tmp_path / "a.jsonl", [line(f"{i}.png", address="", image_link=links[i]) for i in range(2)])
    words = ["--out", tmp_path / "out", "--jsonl", f"train={tmp_path / 'a.jsonl'}"]
    message = refused(capsys, *words, "--image-base-url", picture_server.address)
    assert message.startswith(f"{links[0]} and {links[1]} are both {picture_server.address}/1.png on the mirror")


NO_PLACES = ["mirror.invalid", "ftp://m.invalid", "http://m.invalid/?key=1", "http://", "", "http://[::1", "http://m:x"]


@pytest.mark.parametrize("mirror", NO_PLACES)
def test_a_mirror_is_a_place(tmp_path: Path, capsys: pytest.CaptureFixture[str], mirror: str) -> None:
    message = refused(capsys, "--out", tmp_path / "out", "--jsonl", tmp_path, "--image-base-url", mirror)
    assert message.startswith(f"--image-base-url {mirror!r} is no place of pictures")


def test_a_full_disk_is_one_line_and_the_next_run_goes_on(
    picture_server: PictureServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = write_splits(tmp_path / "in", picture_server.address), tmp_path / "out"
    picture_server.script = {"/train2017/4.png": [answer(404)]}
    build(out, source, "--split", "train", "validation")
    (out / "images" / ".4.png.part").symlink_to("/dev/full")
    picture_server.script = {}
    arguments = ("--out", out, "--jsonl", source, "--split", "train", "validation")
    assert refused(capsys, *arguments).startswith("no space left on the disk")
    build(out, source, "--split", "train", "validation")
    assert manifest.read(out)["dropped"] == []


def test_one_name_for_two_pictures_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line("0.png", address="http://a.invalid"), line("0.png", address="http://b.invalid")]
    source = write_lines(tmp_path / "two.jsonl", lines)
    message = refused(capsys, "--out", tmp_path / "out", "--jsonl", f"train={source}")
    assert message.startswith(
        "http://a.invalid/train2017/0.png and http://b.invalid/train2017/0.png are both called 0.png"
    )
