"""A data set of own records: what is in it, what is left out and told, and that the same content is built once."""

import json
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest
from PIL import Image

from own_records import draw, record, write, write_mixed
from vlm_grpo.errors import UserError
from vlm_grpo.evaluation import __main__ as evaluation
from vlm_grpo.rows import dataset
from vlm_grpo.rows.images import upright_size
from vlm_grpo.store import manifest
from vlm_grpo.tasks.jsonl import on_the_fly
from vlm_grpo.tasks.jsonl.command import main

GUI = Path(__file__).parents[4] / "shared" / "data" / "gui_multi-image.jsonl"


def flags(*files, folders=None, **more):
    words = ["--data_file_paths", ":".join(map(str, files))]
    words += [] if folders is None else ["--image_folders", ":".join(map(str, folders))]
    return [*words, *(word for name, value in more.items() for word in (f"--{name}", str(value)))]


def refused(capsys, *words):
    with pytest.raises(SystemExit) as left:
        main([*map(str, words)])
    assert left.value.code == 2
    return capsys.readouterr().err


def test_a_text_only_first_record_loses_nothing(tmp_path, capsys):
    path = write_mixed(tmp_path / "x")
    main([*flags(path), "--out", str(tmp_path / "out")])
    rows = dataset.load(tmp_path / "out", "train")
    assert [row.images for row in rows[:3]] == [(), ("images/0/1.png",), ("images/0/2.png", "images/0/1.png")]
    assert all((tmp_path / "out" / name).is_file() for row in rows for name in row.images)
    assert rows[2].problem == "Before <image> and after <image>: moved?"
    assert [row.meta["source"] for row in rows[:4]] == [None, None, None, "drawn"]
    assert [row.meta["accu_reward_method"] for row in rows[:2]] == ["yes_no", "default"]
    told = capsys.readouterr().out
    assert "train: 8 rows (2 with no picture, 2 with 1 picture, 4 with 2 pictures; 4 place theirs in the text)" in told


@pytest.mark.skipif(not GUI.is_file(), reason=f"the real file is not at {GUI}")
def test_real_rows_of_two_screenshots_with_drawn_ones(tmp_path):
    with GUI.open() as file:
        lines = [line.rstrip("\n") for line in islice(file, 12)]
    names = [name for line in lines for name in json.loads(line)["image"]]
    folder = draw(tmp_path / "screens", *names, size=(108, 192))
    words = flags(write(tmp_path / "gui.jsonl", lines), folders=[folder], reward_method="all_match")
    main([*words, "--out", str(tmp_path / "out"), "--val_split_ratio", "0.25"])
    assert manifest.read(tmp_path / "out")["counts"] == {"train": 9, "validation": 3}
    rows = dataset.load(tmp_path / "out", "train") + dataset.load(tmp_path / "out", "validation")
    assert {name.removeprefix("images/0/") for row in rows for name in row.images} == set(names)
    assert {row.solution for row in rows} <= {"Operation No Response", "Unexpected Task Result"}


def test_columns_of_several_types_become_json_text(tmp_path):
    records = [
        record("a", "b", id=1, n=1, mixed=1, deep={"x": [1]}, flag=True, big=2**70),
        record("a", "b", id="1", n=None, mixed="1", deep=None, flag=False, late=2.5),
        record("a", "b"),
    ]
    main([*flags(write(tmp_path / "own.jsonl", records)), "--out", str(tmp_path / "out")])
    rows = dataset.load(tmp_path / "out", "train")
    assert [row.id for row in rows] == ["1", "1-line-2", "line-3"]
    columns = {name: [row.meta[name] for row in rows] for name in ("n", "mixed", "deep", "flag", "big", "late")}
    assert columns == {
        "n": [1, None, None],
        "mixed": ["1", '"1"', None],
        "deep": ['{"x": [1]}', None, None],
        "flag": [True, False, None],
        "big": [str(2**70), None, None],
        "late": [None, 2.5, None],
    }


def test_two_files_with_folders_methods_and_equal_names(tmp_path):
    for name, size in (("x", (60, 40)), ("y", (30, 20))):
        draw(tmp_path / name, "1.png", "deep/2.png", size=size)
    elsewhere = draw(tmp_path / "z", "3.png") / "3.png"
    one = write(tmp_path / "one" / "own.jsonl", [record("a", "A", "1.png", id=1)])
    two = write(
        tmp_path / "two" / "own.jsonl",
        [record("a", "yes", ["1.png", "./deep/2.png"], id=1), record("a", "no", ["../z/3.png", str(elsewhere)])],
    )
    words = flags(one, two, folders=(tmp_path / "x", tmp_path / "y"), reward_method="mcq:yes_no")
    main([*words, "--out", str(tmp_path / "out")])
    rows = dataset.load(tmp_path / "out", "train")
    assert [row.id for row in rows] == ["own-1-1", "own-2-1", "own-2-line-2"]
    assert [row.images for row in rows[:2]] == [("images/0/1.png",), ("images/1/1.png", "images/1/deep/2.png")]
    assert [upright_size(tmp_path / "out" / row.images[0]) for row in rows[:2]] == [(60, 40), (30, 20)]
    assert {name.rpartition("/")[2] for name in rows[2].images} == {"3.png"}
    assert [row.meta["accu_reward_method"] for row in rows] == ["mcq", "yes_no", "yes_no"]
    stored = manifest.read(tmp_path / "out")
    assert [entry["reward_method"] for entry in stored["config"]["files"]] == ["mcq", "yes_no"]


def test_every_bad_record_is_listed_and_can_be_allowed(tmp_path, capsys):
    folder = draw(tmp_path / "x", "good.png", "cut.png")
    (folder / "cut.png").write_bytes((folder / "cut.png").read_bytes()[:80])
    good = [record("a", "b", "good.png", id=n) for n in range(5)]
    bad = [record("a", "b", ["absent.png", "cut.png"]), "{", record("a <image>", "b"), *["[]"] * 22]
    path = write(tmp_path / "own.jsonl", [*bad[:2], *good, *bad[2:]])
    command = (*flags(path, folders=[folder]), "--out", tmp_path / "out")
    told = refused(capsys, *command).splitlines()
    assert told[0].startswith(f"{path} line 1: picture {folder}/absent.png is missing; picture {folder}/cut.png cannot")
    assert told[1].startswith(f"{path} line 2: not JSON")
    assert told[20] == "and 5 more"
    assert told[21].startswith(f"error: 25 of 30 records cannot be used, the first is {path} line 1: ")
    assert not (tmp_path / "out").exists()
    listed = [json.loads(line) for line in (tmp_path / "out.dropped.jsonl").read_text().splitlines()]
    assert [entry["id"].rpartition(" ")[2] for entry in listed] == ["1", "2", *map(str, range(8, 31))]

    assert "25 of 30" in refused(capsys, *command, "--max-dropped", "0.8")
    main([*map(str, command), "--max-dropped", "0.9"])
    assert "left out 25 records" in capsys.readouterr().out
    assert not (tmp_path / "out.dropped.jsonl").exists()
    assert manifest.read(tmp_path / "out")["dropped"] == listed
    assert manifest.read(tmp_path / "out")["counts"] == {"train": 5}


def test_the_split_is_by_picture_and_the_same_everywhere(tmp_path):
    folder = draw(tmp_path / "x", *(f"{n}.png" for n in range(20)))
    (folder / "link.png").symlink_to("1.png")
    records = [record("a", "b", [f"{n}.png"], id=n) for n in range(20)] + [record("c", "d", "link.png", id="linked")]
    path = write(tmp_path / "own.jsonl", records)
    words = flags(path, folders=[folder], val_split_ratio=0.3)
    code = "import sys; from vlm_grpo.tasks.jsonl.command import main; main(sys.argv[1:])"
    for name in ("one", "two"):
        command = [sys.executable, "-c", code, *words, "--out", str(tmp_path / name)]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": str(len(name))}, capture_output=True)
    one, two = (manifest.read(tmp_path / name) for name in ("one", "two"))
    assert one["fingerprints"] == two["fingerprints"]
    assert one["counts"] == {"train": 15, "validation": 6}
    splits = {row.id: split for split in one["counts"] for row in dataset.load(tmp_path / "one", split)}
    assert splits["linked"] == splits["1"]
    assert set(one["shared_images"].values()) == {0}


def test_the_same_content_is_built_once_and_another_is_refused(tmp_path, capsys):
    path = write_mixed(tmp_path / "x")
    command = [*flags(path), "--out", str(tmp_path / "out")]
    main(command)
    built = (tmp_path / "out" / "manifest.json").read_bytes()
    main(command)
    assert "(built before)" in capsys.readouterr().out
    assert (tmp_path / "out" / "manifest.json").read_bytes() == built
    assert "belongs to another run (content: " in refused(capsys, *command, "--val_split_ratio", "0.5")
    Image.new("RGB", (90, 90), "red").save(tmp_path / "x" / "1.png")
    assert "belongs to another run (content: " in refused(capsys, *command)


def test_records_alone_are_checked_without_pictures(tmp_path, capsys):
    path = write(tmp_path / "own.jsonl", [record("a", "b", "absent.png")])
    main([*flags(path), "--check-records"])
    assert "1 rows (1 with 1 picture" in capsys.readouterr().out
    with path.open("a") as file:
        file.write("{\n")
    told = refused(capsys, *flags(path), "--check-records")
    assert f"{path} line 2: not JSON" in told
    assert "error: 1 of 2 records cannot be used" in told
    assert "give --out" in refused(capsys, *flags(path))
    assert "holds no record" in refused(capsys, *flags(write(tmp_path / "empty.jsonl", [])), "--check-records")
    assert "is missing" in refused(capsys, *flags(tmp_path / "absent.jsonl"), "--check-records")


def test_a_command_gets_a_folder_named_by_content(tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_PATH", str(tmp_path / "data"))
    words = [*flags(write_mixed(tmp_path / "x")), "--model", "m", "--reward_weights", "1.0", "-0.5"]
    others, data = ["--model", "m", "--reward_weights", "1.0", "-0.5"], tmp_path / "data" / "jsonl"
    asked = on_the_fly.settle([*words, "--dry-run"])
    assert not data.exists()
    settled = on_the_fly.settle(words)
    (folder,) = (path for path in data.iterdir() if path.is_dir())
    assert settled == [*others, "--data", str(folder)]
    assert asked == [*others, "--dry-run", "--data", str(folder)]
    (tmp_path / "x").rename(tmp_path / "moved")
    moved = [*flags(tmp_path / "moved" / "own.jsonl"), "--val_split_ratio", "0"]
    assert on_the_fly.settle(moved, whole=True) == ["--data", str(folder), "--split", "train"]
    held = on_the_fly.settle([*flags(tmp_path / "moved" / "own.jsonl", val_split_ratio=0.25)], whole=True)
    assert held[0] == "--data"
    assert manifest.read(Path(held[1]))["counts"] == {"train": 6, "validation": 2}
    assert on_the_fly.settle(["--data", "d"]) == ["--data", "d"]


@pytest.mark.parametrize(
    "words, message",
    [
        (["--image_folders", "x"], "--image_folders has no effect without --data_file_paths"),
        (["--data_file_paths", "a", "--data=b"], "--data and --data_file_paths both say"),
    ],
)
def test_flags_that_do_not_fit_together_are_one_line(words, message):
    with pytest.raises(UserError, match=message):
        on_the_fly.settle(words)


def test_processes_that_start_together_build_once(tmp_path):
    path = write_mixed(tmp_path / "x")
    code = "import sys; from vlm_grpo.tasks.jsonl import on_the_fly; print(on_the_fly.settle(sys.argv[1:])[1])"
    environment = {**os.environ, "DATA_PATH": str(tmp_path / "data")}
    command = [sys.executable, "-c", code, *flags(path)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    started = [subprocess.Popen(command, env=environment, **pipes) for _ in range(2)]
    ended = [process.communicate(timeout=120) for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert ended[0][0] == ended[1][0]
    assert sum("data set of own records" in errors for _, errors in ended) == 1


def test_an_evaluation_answers_own_records(tiny_qwen, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DATA_PATH", str(tmp_path / "data"))
    words = flags(write_mixed(tmp_path / "x"))
    evaluation.main([*words, "--model", str(tiny_qwen), "--max_new_tokens", "4", "--out", str(tmp_path / "out")])
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert scores["n"] == 8
    assert scores["constant"] == 0.25
    assert "a constant" in capsys.readouterr().out
