"""VSR's captions: which rows come of them, which are refused, and where the data set lies."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from picture_server import PictureServer, answer, picture, png
from vlm_grpo.rows import dataset
from vlm_grpo.store import jsonl, manifest
from vlm_grpo.tasks.vsr import captions
from vlm_grpo.tasks.vsr import command as vsr
from vsr_builds import build, refused
from vsr_lines import line, write_lines, write_splits

STUDY = Path(__file__).parents[3] / "shared" / "data" / "vsr_zeroshot"


def test_rows_are_asked_and_answered_as_in_the_study(picture_server: PictureServer, tmp_path: Path) -> None:
    build(tmp_path / "out", write_splits(tmp_path / "in", picture_server.address))
    first, second = dataset.load(tmp_path / "out", "train")[:2]
    assert first.id == "vsr-train-0000"
    assert first.problem == "Is the following statement true: The cat is on the mat."
    assert (first.solution, second.solution) == ("<answer> True </answer>", "<answer> False </answer>")
    assert first.images == ("images/0.png",)
    assert first.meta == {
        "image_path": "images/0.png",
        "caption": "The cat is on the mat.",
        "label": 1,
        "relation": "on",
        "subj": "cat",
        "obj": "mat",
        "image_link": f"{picture_server.address}/train2017/0.png",
    }
    assert [row.id for row in dataset.load(tmp_path / "out", "validation")] == [
        "vsr-validation-0000",
        "vsr-validation-0001",
    ]
    assert (tmp_path / "out" / "images" / "0.png").read_bytes() == png()


def test_rows_that_the_model_cannot_be_asked_are_dropped_with_the_reason(
    picture_server: PictureServer, tmp_path: Path, tiny_qwen: Path
) -> None:
    said = ["The cat is on the mat.", "The <|image_pad|> sign is red.", "The line is long."]
    lines = [line(f"{i}.png", address=picture_server.address, caption=caption) for i, caption in enumerate(said)]
    picture_server.script = {"/train2017/2.png": [picture(png((300, 1)))]}
    write_lines(tmp_path / "a.jsonl", lines)
    model = ["--model", str(tiny_qwen), "--max-prompt-tokens", "1000"]
    build(tmp_path / "out", f"train={tmp_path / 'a.jsonl'}", *model)
    assert [row.id for row in dataset.load(tmp_path / "out", "train")] == ["vsr-train-0000"]
    reasons = [entry["reason"] for entry in jsonl.read(tmp_path / "out" / "dropped.jsonl")]
    assert "its text holds '<|image_pad|>'" in reasons[0]
    assert "is 300 x 1 pixels, and Qwen's processor takes no side more than 200 times the other" in reasons[1]


def test_a_dry_run_tells_rows_and_pictures_and_touches_nothing(
    picture_server: PictureServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build(tmp_path / "out", write_splits(tmp_path / "in", picture_server.address), "--dry-run", "--limit", "4")
    printed = capsys.readouterr().out
    assert "train: 4 rows, 2 pictures\nvalidation: 2 rows, 2 pictures\ntest: 2 rows, 2 pictures\n" in printed
    assert "5 distinct pictures, 0 of them" in printed
    assert "would fetch 5 from 127.0.0.1:" in printed
    assert not (tmp_path / "out").exists()
    assert not picture_server.hits


def test_splits_and_rows_can_be_chosen(picture_server: PictureServer, tmp_path: Path) -> None:
    folder = write_splits(tmp_path / "in", picture_server.address)
    files = f"train={folder / 'train.jsonl'},validation={folder / 'test.jsonl'}"
    build(tmp_path / "out", files, "--split", "train", "--limit", "3")
    assert manifest.read(tmp_path / "out")["counts"] == {"train": 3}
    build(tmp_path / "both", files)
    assert manifest.read(tmp_path / "both")["counts"] == {"train": 6, "validation": 2}


def test_repeats_are_dropped_and_contradictions_refused(
    picture_server: PictureServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = picture_server.address
    again = write_lines(tmp_path / "again.jsonl", [line("0.png", address=address)] * 2)
    build(tmp_path / "out", f"train={again}")
    assert jsonl.read(tmp_path / "out" / "dropped.jsonl") == [
        {"split": "train", "id": "vsr-train-0001", "reason": "repeats vsr-train-0000"}
    ]
    both = write_lines(tmp_path / "both.jsonl", [line("0.png", address=address, label=v) for v in (0, 1)])
    message = refused(capsys, "--out", tmp_path / "new", "--jsonl", f"train={both}")
    assert "vsr-train-0000 and vsr-train-0001 give one caption of one picture different labels" in message


@pytest.mark.parametrize(
    "change, message",
    [
        ({"label": 2}, "column 'label': Input should be 0 or 1, found 2"),
        ({"label": "1"}, "column 'label': Input should be 0 or 1, found '1'"),
        ({"label": None}, "column 'label'"),
        ({"caption": ""}, "column 'caption'"),
        ({"image": "../a.png"}, "column 'image': Value error, expected a plain file name"),
        ({"image": "x" * 251 + ".png"}, "column 'image': Value error, expected a file name of at most 240 bytes"),
        ({"image_link": "http://[bad/1.png"}, "column 'image_link': Value error, Invalid IPv6 URL"),
        ({"subj": 3}, "column 'subj'"),
        ({"id": "first"}, "id 'first' is that of line 1 too"),
    ],
)
def test_a_bad_line_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, object], message: str
) -> None:
    good = line("0.png", address="http://images.invalid", id="first")
    source = write_lines(tmp_path / "bad.jsonl", [good, {**line("1.png", address="http://images.invalid"), **change}])
    line_shown = refused(capsys, "--out", tmp_path / "out", "--jsonl", f"train={source}")
    assert line_shown.startswith(f"{source} line 2: {message}")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("column", ["image", "image_link", "caption", "label", "relation", "subj", "obj"])
def test_a_missing_column_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], column: str) -> None:
    entry = line("0.png", address="http://images.invalid")
    del entry[column]
    source = write_lines(tmp_path / "bad.jsonl", [entry])
    message = refused(capsys, "--out", tmp_path / "out", "--jsonl", f"test={source}")
    assert message == f"{source} line 1: column '{column}' is missing"


def test_files_that_hold_no_captions_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    (tmp_path / "torn.jsonl").write_text('{"image": "0.png", ')
    assert "torn.jsonl line 1: not JSON" in refused(capsys, "--out", out, "--jsonl", f"train={tmp_path}/torn.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n")
    assert "holds no captions" in refused(capsys, "--out", out, "--jsonl", f"test={tmp_path}/empty.jsonl")
    assert "none.jsonl is missing" in refused(capsys, "--out", out, "--jsonl", f"test={tmp_path}/none.jsonl")
    assert "is not a folder" in refused(capsys, "--out", out, "--jsonl", tmp_path / "none")
    assert "must have one file train.jsonl" in refused(capsys, "--out", out, "--jsonl", tmp_path)
    assert not out.exists()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--jsonl", "training=a.jsonl"), "'training=a.jsonl': expected SPLIT=FILE"),
        (("--jsonl", "train=a.jsonl,train=b.jsonl"), "expected SPLIT=FILE, once"),
        (("--jsonl", "train=a.jsonl", "--split", "test"), "names no file for split 'test'"),
        (("--jsonl", "train=a.jsonl", "--revision", "main"), "--revision has no effect"),
        (("--jsonl", "train=a.jsonl", "--max-prompt-tokens", "9"), "--model and --max-prompt-tokens go together"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert message in refused(capsys, "--out", tmp_path / "out", *arguments)


@pytest.mark.parametrize(
    "arguments", [("--workers", "0"), ("--timeout", "-1"), ("--limit", "0"), ("--max-dropped", "2"), ("--split", "dev")]
)
def test_numbers_out_of_range_are_refused(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as left:
        vsr.main(["--out", str(tmp_path / "out"), "--jsonl", "train=a.jsonl", *arguments])
    assert left.value.code == 2


def test_the_output_folder_must_be_this_runs(
    picture_server: PictureServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_splits(tmp_path / "in", picture_server.address)
    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").touch()
    build(tmp_path / "out", source)
    for out, message in (
        (tmp_path / "file", "is a file"),
        (tmp_path / "file" / "below", "cannot make the folder"),
        (tmp_path / "full", "is not empty"),
    ):
        assert message in refused(capsys, "--out", out, "--jsonl", source)
    message = refused(capsys, "--out", tmp_path / "out", "--jsonl", source, "--limit", "1")
    assert "belongs to another run (rows: null there, 1 asked)" in message
    assert len(dataset.load(tmp_path / "out", "train")) == 6


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_splits(tmp_path / "in", "http://images.invalid")
    (tmp_path / "locked").mkdir(mode=0o500)
    assert "permission denied" in refused(capsys, "--out", tmp_path / "locked" / "out", "--jsonl", source)


def test_ids_of_the_source_are_kept(picture_server: PictureServer, tmp_path: Path) -> None:
    lines = [line(f"{i}.png", address=picture_server.address, id=f"mine/{i}") for i in range(2)]
    build(tmp_path / "out", f"test={write_lines(tmp_path / 'in.jsonl', lines)}")
    assert [row.id for row in dataset.load(tmp_path / "out", "test")] == ["mine/0", "mine/1"]


def test_captions_come_from_the_hub_with_their_commit(picture_server: PictureServer, tmp_path: Path) -> None:
    folder = write_splits(tmp_path / "in", picture_server.address)
    commit = "0123456789abcdef0123456789abcdef01234567"
    for name in ("train.jsonl", "dev.jsonl", "test.jsonl"):
        sent = answer(200, (folder / name).read_bytes(), ETag=f'"{name}"', X_Repo_Commit=commit)
        picture_server.script[f"/datasets/{captions.HUB_ID}/resolve/v1/{name}"] = [sent]
    environment = {**os.environ, "HF_ENDPOINT": picture_server.address, "HF_HOME": str(tmp_path / "hf")}
    command = [sys.executable, "-m", "vlm_grpo.datasets.vsr", "--out", str(tmp_path / "out"), "--source", "hub"]
    subprocess.run([*command, "--revision", "v1"], check=True, env=environment, capture_output=True)
    source = manifest.read(tmp_path / "out")["inputs"]["source"]
    assert (source["name"], source["revision"]) == (captions.HUB_ID, commit)
    assert next(row.id for row in dataset.load(tmp_path / "out", "validation")) == "vsr-validation-0000"
    picture_server.default = answer(404, X_Error_Code="RevisionNotFound")
    failed = subprocess.run(
        [*command, "--revision", "v2"], check=False, env=environment, capture_output=True, text=True
    )
    assert failed.returncode == 2
    assert "cannot be had from the hub" in failed.stderr.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(not STUDY.is_dir(), reason=f"the study's captions are not in {STUDY}")
def test_the_studys_captions_make_the_studys_data_set(picture_server: PictureServer, tmp_path: Path) -> None:
    picture_server.default = picture(png((8, 6)))
    build(tmp_path / "out", STUDY, "--image-base-url", picture_server.address, "--retries", "4")
    written = manifest.read(tmp_path / "out")
    true, false = "<answer> True </answer>", "<answer> False </answer>"
    assert written["counts"] == {"train": 3489, "validation": 340, "test": 1222}
    assert written["solutions"] == {
        "train": {true: 1799, false: 1690},
        "validation": {true: 167, false: 173},
        "test": {true: 629, false: 593},
    }
    assert written["images"] == {"train": 2249, "validation": 227, "test": 715}
    assert written["shared_images"] == {"train-validation": 5, "train-test": 2, "validation-test": 3}
    assert written["inputs"]["source"]["captions_of_the_study"] == {"train": True, "validation": True, "test": True}
    assert written["dropped"] == []
    assert len(picture_server.hits) == 3181
    assert set(picture_server.hits.values()) == {1}
    relations = {
        split: {row.meta["relation"] for row in dataset.load(tmp_path / "out", split)} for split in written["counts"]
    }
    assert {split: len(names) for split, names in relations.items()} == {"train": 60, "validation": 40, "test": 53}


def test_the_script_builds_under_data_path(picture_server: PictureServer, tmp_path: Path) -> None:
    source = write_splits(tmp_path / "in", picture_server.address)
    script = Path(__file__).parents[2] / "scripts" / "create_dataset.sh"
    environment = {**os.environ, "DATA_PATH": str(tmp_path / "data"), "VLM_GRPO_PYTHON": sys.executable}
    command = ["bash", str(script), "--jsonl", str(source)]
    subprocess.run(command, check=True, env=environment, capture_output=True)
    assert manifest.read(tmp_path / "data" / "vsr")["counts"] == {"train": 6, "validation": 2, "test": 2}
