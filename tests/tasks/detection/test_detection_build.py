"""Rows of `detection` from COCO's files: what becomes a row, what is left out and why, where pictures come from."""

import json

import pytest

from coco_data import annotation, write_coco
from refusals import refusal
from vlm_grpo.rows import dataset
from vlm_grpo.store import jsonl, manifest
from vlm_grpo.tasks.detection.command import main
from vlm_grpo.tasks.registry import check_solutions

OBJECTS = [
    annotation(1, 1, 1, [2, 3, 20, 10.555]),
    annotation(2, 1, 2, [30, 3, 9, 9]),
    annotation(3, 2, 1, [0, 0, 60, 40], iscrowd=1),
    *(annotation(10 + n, 3, 2, [n, n, 20, 20]) for n in range(5)),
    annotation(4, 4, 2, [1, 1, 10, 10]),
    annotation(5, 4, 9, [1, 1, 10, 10]),
]


@pytest.fixture
def coco(tmp_path):
    return write_coco(tmp_path / "coco", OBJECTS, images=8)


def words(out, coco, *more):
    return ["--output_dir", str(out), "--coco", str(coco), "--split", "val", "--skip-download", *map(str, more)]


def test_rows_and_what_is_left_out(coco, tmp_path, capsys):
    out = tmp_path / "out"
    main(words(out, coco, "--max-objects", 4, "--negatives", 0.5))
    rows = dataset.load(out, "validation")
    check_solutions(rows, where="out")
    assert [row.meta["image_id"] for row in rows if row.meta["objects"]] == [1, 4]
    first = next(row for row in rows if row.meta["image_id"] == 1)
    assert json.loads(first.solution) == [
        {"bbox_2d": [2, 3, 22, 13.55], "label": "person"},
        {"bbox_2d": [30, 3, 39, 12], "label": "dog"},
    ]
    assert "person, dog" in first.problem
    assert (out / first.images[0]).is_file()
    assert [row.solution for row in rows if not row.meta["objects"]] == ["None", "None"]
    written = manifest.read(out, kind=dataset.KIND)
    assert written["dropped_by_kind"] == {
        "val": {"unusable object": 1, "crowd": 1, "too many objects": 1, "nothing to list": 2}
    }
    assert len(jsonl.read(out / "dropped.jsonl")) == 5
    assert "val left out: 1 unusable object, 1 crowd" in capsys.readouterr().out


def test_categories_limit_and_a_folder_that_holds_cocos_own_files(coco):
    main(words(coco, coco, "--categories", "dog", "--negatives", 0, "--limit", 2))
    rows = dataset.load(coco, "validation")
    assert [row.meta["image_id"] for row in rows] == [1, 3]
    assert all(entry["label"] == "dog" for row in rows for entry in json.loads(row.solution))
    main(words(coco, coco, "--categories", "dog", "--negatives", 0, "--limit", 2))


def test_what_is_wrong_is_one_line(coco, tmp_path, capsys):
    out = tmp_path / "out"
    assert "unknown category 'dogs'; did you mean 'dog'?" in refusal(
        capsys, main, words(out, coco, "--categories", "dogs")
    )
    assert not out.exists()
    assert "instances_val2014.json is missing" in refusal(capsys, main, words(out, tmp_path / "nowhere"))
    (coco / "notes.txt").write_text("mine")
    assert "is not empty and has no run.json" in refusal(capsys, main, words(coco, coco))
    for picture in (coco / "val2014").iterdir():
        picture.unlink()
    assert "pictures of val can be had: no picture in" in refusal(capsys, main, words(out, coco))


def test_a_few_pictures_come_one_by_one(coco, tmp_path, picture_server):
    for picture in (coco / "val2014").iterdir():
        picture.unlink()
    given = ["--output_dir", str(coco), "--split", "val", "--limit", "2", "--host", picture_server.address]
    main(given)
    assert [row.meta["image_id"] for row in dataset.load(coco, "validation")] == [1, 3]
    assert dict(picture_server.hits) == {"/val2014/001.jpg": 1, "/val2014/003.jpg": 1}
