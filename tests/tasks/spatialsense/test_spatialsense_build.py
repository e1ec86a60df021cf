"""SpatialSense from its annotations and photographs: official splits kept apart, or the study's with their faults."""

import json
from pathlib import Path

import pytest
from PIL import Image

import statement_files as files
from refusals import refusal
from vlm_grpo.rows import dataset
from vlm_grpo.rows.pictures import check_pictures
from vlm_grpo.store import jsonl, manifest
from vlm_grpo.tasks.registry import check_solutions
from vlm_grpo.tasks.spatialsense.command import main

SAMPLE = Path(__file__).parents[4] / "shared" / "data" / "spatialsense" / "readme_sample.json"
SPLITS = ("train", "validation", "test")


def built(tmp_path, *more, entries=None):
    data = files.save_spatialsense(tmp_path / "SpatialSense", entries)
    main(["--data", str(data), "--out", str(tmp_path / "out"), *map(str, more)])
    return tmp_path / "out"


def test_official_splits_and_photographs_as_they_are(tmp_path):
    out = built(tmp_path)
    rows = {split: dataset.load(out, split) for split in SPLITS}
    assert [row.id for row in rows["train"]] == ["59fb0000", "59fb0001", "59fb0100"]
    second = rows["train"][1]
    assert second.problem == "Is the following statement true: The cat is next to the mirror."
    assert second.solution == "<answer> False </answer>"
    assert second.meta == {
        "relation": "next to",
        "subj": "cat",
        "obj": "a Mirror",
        "label": 0,
        "image_id": "images/flickr/1_a.jpg",
        "subject_box": [4, 2, 11, 9],
        "object_box": [20, 10, 45, 30],
        "official_split": "train",
    }
    for split in SPLITS:
        check_solutions(rows[split], where=split)
        check_pictures(rows[split], root=out)
    with Image.open(out / rows["train"][2].images[0]) as picture:
        assert picture.size == (400, 30), "no canvas"
    assert rows["train"][2].images == ("images/nyu/00012.jpg",)


def test_one_photograph_under_two_names_is_in_one_split_only(tmp_path):
    out = built(tmp_path)
    dropped = jsonl.read(out / "dropped.jsonl")
    assert {entry["id"] for entry in dropped} == {"59fb0200", "59fb0201"}
    assert {entry["reason"] for entry in dropped} == {"its picture images/flickr/2_b.jpg is shown in test too"}
    stored = manifest.read(out)
    assert stored["duplicate_pictures"] == 1
    assert stored["shared_pictures"] == {"train-validation": 0, "train-test": 0, "validation-test": 0}
    assert stored["balance"]["test"] == {"behind": {"true": 0, "false": 1}, "on": {"true": 1, "false": 1}}
    assert stored["without_a_box"] == {"train": 1, "validation": 0, "test": 0}


def test_the_studys_preparation_cuts_each_predicate_and_leaves_a_white_strip(tmp_path):
    entries = [
        {**entry, "annotations": [{**one, "predicate": "on"} for one in entry["annotations"]]}
        for entry in files.annotations()
    ]
    out = built(tmp_path, "--preparation", "study", entries=entries)
    rows = {split: dataset.load(out, split) for split in SPLITS}
    assert {split: [row.id for row in taken] for split, taken in rows.items()} == {
        "train": ["59fb0000", "59fb0001", "59fb0100", "59fb0200", "59fb0201", "59fb0300", "59fb0301", "59fb0400"],
        "validation": ["59fb0401"],
        "test": ["59fb0500"],
    }
    assert rows["train"][0].problem == "Is the following statement true: cat on mat?"
    assert rows["train"][7].meta["official_split"] == "test"
    stored = manifest.read(out)
    assert stored["shared_pictures"] == {"train-validation": 1, "train-test": 1, "validation-test": 0}
    assert stored["dropped"] == []
    for row, size in ((rows["train"][0], (300, 80)), (rows["train"][2], (400, 70))):
        with Image.open(out / row.images[0]) as picture:
            assert picture.size == size
            assert min(picture.getpixel((5, size[1] - 2))) > 245, "the strip is white"


def test_boxes_are_none_where_the_photograph_has_another_size(tmp_path):
    data = files.save_spatialsense(tmp_path / "SpatialSense")
    place = data / "images/flickr/3_c.jpg"
    Image.open(place).resize((24, 32)).save(place)
    main(["--data", str(data), "--out", str(tmp_path / "out")])
    assert [row.meta["subject_box"] for row in dataset.load(tmp_path / "out", "validation")] == [None, None]


def test_a_missing_photograph_and_a_repeated_id_are_listed(tmp_path, capsys):
    entries = files.annotations()
    entries[4]["annotations"][1]["_id"] = "59fb0400"
    data = files.save_spatialsense(tmp_path / "SpatialSense", entries)
    (data / "images/nyu/00012.jpg").unlink()
    words = ["--data", data, "--out", tmp_path / "out"]
    told = refusal(capsys, main, words)
    assert "1 of 5 statements of split 'train' cannot be used, the first is 59fb0100: picture" in told
    assert "00012.jpg is missing" in told
    main([str(word) for word in (*words, "--max-dropped", "0.5")])
    reasons = {entry["id"]: entry["reason"] for entry in jsonl.read(tmp_path / "out/dropped.jsonl")}
    assert "occurs twice" in reasons["59fb0400"]


@pytest.mark.parametrize(
    "damage, told",
    [
        (lambda one: one.update(split="dev"), "row 1: column 'split': Input should be 'train', 'valid' or 'test'"),
        (lambda one: one["annotations"][0].update(label=1), "row 1: column 'annotations.0.label'"),
        (lambda one: one["annotations"][0]["object"].update(bbox=[1, 2, 3]), "column 'annotations.0.object.bbox.3'"),
    ],
)
def test_a_row_that_is_none_is_named(tmp_path, capsys, damage, told):
    entries = files.annotations()
    data = files.save_spatialsense(tmp_path / "SpatialSense", entries)
    damage(entries[1])
    (data / "annotations.json").write_text(json.dumps(entries))
    line = refusal(capsys, main, ["--data", data, "--out", tmp_path / "out"])
    assert line.startswith(f"error: {data / 'annotations.json'} row 1: ")
    assert told in line


@pytest.mark.skipif(not SAMPLE.is_file(), reason="the real sample is not beside the checkout")
def test_the_published_sample_has_its_boxes_by_their_edges(tmp_path):
    entries = json.loads(SAMPLE.read_text())
    out = built(tmp_path, entries=entries)
    rows = dataset.load(out, "train")
    assert [(row.problem.partition(": ")[2], row.meta["subject_box"]) for row in rows] == [
        ("The cat is on the ground.", [31, 230, 264, 434]),
        ("The cat is to the left of the mirror.", [33, 226, 271, 449]),
    ]
