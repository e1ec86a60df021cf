"""Rel3D from its JSON and HDF5 files or rendered pictures: every sample accounted for, pairs kept, panels as said."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

import statement_files as files
from refusals import refusal
from vlm_grpo.rows import dataset
from vlm_grpo.rows.pictures import check_pictures
from vlm_grpo.store import jsonl, manifest
from vlm_grpo.tasks.registry import check_solutions
from vlm_grpo.tasks.rel3d.command import main
from vlm_grpo.tasks.rel3d.samples import Sample, pairs_of

SPLITS = ("train", "validation", "test")
RED, YELLOW, WHITE, BLACK = (255, 0, 0), (255, 255, 0), (255, 255, 255), (0, 0, 0)


def built(tmp_path, *more, samples=None):
    data = files.save_rel3d(tmp_path / "Rel3D", samples)
    main(["--data", str(data), "--out", str(tmp_path / "out"), *map(str, more)])
    return tmp_path / "out"


def colour(picture, x, y):
    return tuple(picture.convert("RGB").getpixel((x, y)))


def middle(box):
    return int((box[0] + box[2]) / 2), int((box[1] + box[3]) / 2)


def test_rows_have_the_statement_its_boxes_and_its_pair(tmp_path, capsys):
    out = built(tmp_path)
    rows = dataset.load(out, "train")
    assert rows[0].id == "train-000000"
    assert rows[0].problem == "Is the following statement true: The cup is on the desk."
    assert [row.solution for row in rows[:2]] == ["<answer> True </answer>", "<answer> False </answer>"]
    assert rows[0].meta == {
        "relation": "on",
        "subj": "Cup",
        "obj": "Desk ",
        "label": 1,
        "image_id": "on - Cup_s1 - Desk _s2 - initialState cam0 rgb.png",
        "subject_box": [17.5, 56.0, 73.5, 84.0],
        "object_box": [112.0, 112.0, 123.2, 168.0],
        "pair": "on - Cup_s1 - Desk _s2 cam0",
        "scene": "on - Cup_s1 - Desk _s2",
    }
    for split in SPLITS:
        rows = dataset.load(out, split)
        check_solutions(rows, where=split)
        check_pictures(rows, root=out)
        assert {row.task for row in rows} == {"rel3d"}
        pairs = [row.meta["pair"] for row in rows]
        assert all(pairs.count(pair) == 2 for pair in pairs)
    assert "train: 8 statements (4 true) of 3 predicates about 8 pictures, 4 pairs and 0 rows alone" in (
        capsys.readouterr().out
    )


def test_the_picture_is_the_scene_without_padding_and_boxes_lie_on_what_they_name(tmp_path):
    out = built(tmp_path)
    row = dataset.load(out, "train")[1]
    with Image.open(out / row.images[0]) as picture:
        assert (picture.format, picture.size) == ("PNG", (224, 224))
        assert colour(picture, 1, 1) != BLACK, "the padding is gone"
        assert colour(picture, *middle(row.meta["subject_box"])) == RED
        assert colour(picture, *middle(row.meta["object_box"])) == YELLOW


def test_rendered_pictures_are_taken_as_they_are(tmp_path):
    entries = [sample for split in files.samples().values() for sample in split]
    rendered = files.save_rendered(tmp_path / "20200223", entries)
    out = built(tmp_path, "--pictures", rendered, "--limit", 2)
    (row, _) = dataset.load(out, "train")
    assert row.meta["subject_box"] == [25, 45, 105, 67.5]
    assert (out / row.images[0]).samefile(rendered / row.meta["image_id"])
    assert manifest.read(out)["config"]["pictures"] == "rendered"


def test_the_manifest_counts_balance_pairs_and_what_splits_share(tmp_path):
    samples = files.samples()
    samples["train"] += [files.sample("near", "Ball", "Box", label=True, camera=5)]
    stored = manifest.read(built(tmp_path, samples=samples))
    assert stored["counts"] == {"train": 9, "validation": 2, "test": 6}
    assert stored["balance"]["train"]["on"] == {"true": 2, "false": 2}
    assert stored["balance"]["train"]["near"] == {"true": 2, "false": 1}
    assert stored["pairs"]["train"] == {"pairs": 4, "unpaired": 1}
    assert stored["shared_scenes"] == {"train-validation": 0, "train-test": 1, "validation-test": 0}
    assert stored["shared_pictures"] == {"train-validation": 0, "train-test": 0, "validation-test": 0}
    assert set(stored["inputs"]["source"]["sha256"]) == {
        "c_0.9_c_0.1.json",
        *(f"c_0.9_c_0.1_{split}_False.h5" for split in ("train", "valid", "test")),
    }


def test_a_picture_of_a_later_split_leaves_the_earlier_one_and_its_other_stays_alone(tmp_path):
    samples = files.samples()
    samples["train"] += samples["test"][:1]
    out = built(tmp_path, samples=samples)
    assert jsonl.read(out / "dropped.jsonl") == [
        {
            "split": "train",
            "id": "train-000008",
            "reason": "its picture near - Ball_s1 - Box_s2 - initialState cam0 rgb.png is shown in test too",
        }
    ]
    assert len(dataset.load(out, "test")) == 6
    shown = {split: {name for row in dataset.load(out, split) for name in row.images} for split in SPLITS}
    assert not shown["train"] & shown["test"]


def test_the_studys_preparation_keeps_everything_as_numbered_jpegs(tmp_path):
    samples = files.samples()
    samples["train"] += samples["test"][:1]
    out = built(tmp_path, "--preparation", "study", samples=samples)
    rows = dataset.load(out, "train")
    assert rows[0].problem == "Is the following statement true: Cup on Desk ?"
    assert [row.images[0] for row in rows] == [f"images/train/{number:06d}.jpg" for number in range(9)]
    with Image.open(out / rows[0].images[0]) as picture:
        assert (picture.format, picture.size) == ("JPEG", (224, 224))
    assert manifest.read(out)["shared_pictures"]["train-test"] == 1
    assert manifest.read(out)["dropped"] == []


def test_four_panels_show_scene_depth_and_each_thing_alone(tmp_path):
    out = built(tmp_path, "--panels", "--predicates", "study")
    rows = dataset.load(out, "train")
    assert {row.meta["relation"] for row in rows} == {"on"}
    stored = manifest.read(out)
    assert stored["panels"] == "rgb, depth / subject's box, object's box"
    assert stored["config"]["panels"]
    with Image.open(out / rows[1].images[0]) as sheet:
        assert sheet.size == (448, 448)
        subject, object = (middle(rows[1].meta[f"{role}_box"]) for role in ("subject", "object"))
        assert colour(sheet, *subject) == RED
        assert colour(sheet, 224 + 5, 2)[0] < colour(sheet, 224 + 5, 220)[0], "the depth is a slope"
        assert colour(sheet, subject[0], 224 + subject[1]) == WHITE
        assert colour(sheet, object[0], 224 + object[1]) == BLACK
        assert colour(sheet, 224 + object[0], 224 + object[1]) == WHITE
        assert colour(sheet, 224 + subject[0], 224 + subject[1]) == BLACK


def test_depth_of_rendered_pictures_is_grey_from_its_samples(tmp_path):
    entries = [sample for split in files.samples().values() for sample in split]
    rendered = files.save_rendered(tmp_path / "20200223", entries)
    out = built(tmp_path, "--pictures", rendered, "--panels", "--limit", 1, "--predicates", "on", "near")
    with Image.open(out / dataset.load(out, "train")[0].images[0]) as sheet:
        assert sheet.size == (640, 360)
        assert [colour(sheet, 320 + x, 75)[0] for x in (0, 319)] == [0, 255]
        assert 126 < colour(sheet, 320 + 160, 75)[0] < 130


def test_a_box_without_an_area_is_none_and_leaves_no_empty_panel(tmp_path):
    samples = files.samples()
    samples["train"][0]["subject"]["bbox"] |= {"width": "0"}
    out = built(tmp_path, samples=samples)
    assert dataset.load(out, "train")[0].meta["subject_box"] is None
    assert manifest.read(out)["without_a_box"] == {"train": 1, "validation": 0, "test": 0}
    words = ["--data", tmp_path / "Rel3D", "--out", tmp_path / "panels", "--panels", "--max-dropped", "0.5"]
    main([str(word) for word in words])
    (dropped,) = jsonl.read(tmp_path / "panels/dropped.jsonl")
    assert dropped["reason"] == "the box of its subject has no area, so that panel would be empty"


def test_a_missing_or_damaged_picture_is_listed_and_stops_the_build(tmp_path, capsys):
    samples = files.samples()
    samples["train"][0]["lost"] = True
    data = files.save_rel3d(tmp_path / "Rel3D", samples)
    with h5py.File(data / "c_0.9_c_0.1_train_False.h5", "r+") as file:
        file["rgb"][2] = np.frombuffer(b"no picture", dtype=np.uint8)
    words = ["--data", data, "--out", tmp_path / "out"]
    told = refusal(capsys, main, words)
    assert "2 of 8 statements of split 'train' cannot be used, the first is train-000000" in told
    assert "--max-dropped" in told
    assert not (tmp_path / "out").exists()
    assert len(jsonl.read(tmp_path / "out.dropped.jsonl")) == 2
    main([str(word) for word in (*words, "--max-dropped", "0.3")])
    assert manifest.read(tmp_path / "out")["pairs"]["train"] == {"pairs": 2, "unpaired": 2}


def test_a_view_of_three_states_is_one_pair_and_one_row_alone():
    entries = [files.sample("on", "Cup", "Desk", label=label) for label in (False, True, False)]
    pairs = pairs_of([Sample.model_validate(entry) for entry in entries])
    assert pairs == ["on - Cup_s1 - Desk_s2 cam0", "on - Cup_s1 - Desk_s2 cam0", None]
    unnamed = Sample.model_validate({**entries[0], "rgb": "data/17.png"})
    assert (unnamed.scene, pairs_of([unnamed, unnamed])) == (None, [None, None])


@pytest.mark.parametrize(
    "damage, told",
    [
        (lambda one: one.update(label="yes"), "sample 1: column 'label': Input should be a valid boolean, found 'yes'"),
        (lambda one: one.pop("predicate"), "train sample 1: column 'predicate' is missing; mend the file"),
        (lambda one: one["object"]["bbox"].update(width="-3"), "column 'object.bbox.width': Input should be greater"),
        (lambda one: one["subject"].update(bbox="[1, 2, 3, 4]"), "column 'subject.bbox': Input should be a valid"),
    ],
)
def test_a_sample_that_is_none_is_named(tmp_path, capsys, damage, told):
    samples = files.samples()
    data = files.save_rel3d(tmp_path / "Rel3D", samples)
    path = data / "c_0.9_c_0.1.json"
    content = json.loads(path.read_text())
    damage(content["train"][1])
    path.write_text(json.dumps(content))
    assert told in refusal(capsys, main, ["--data", data, "--out", tmp_path / "out"])


def test_what_is_not_there_is_told_in_one_line(tmp_path, capsys):
    data = files.save_rel3d(tmp_path / "Rel3D")
    words = ["--data", data, "--out", tmp_path / "out"]
    told = refusal(capsys, main, [*words, "--name", "nc_0.4_nc_0.1"])
    assert "nc_0.4_nc_0.1.json is missing" in told
    assert "(c_0.9_c_0.1)" in told
    assert "--predicates: above not among the files' own; known: behind (wrt you), near, on, points" in refusal(
        capsys, main, [*words, "--predicates", "near", "above"]
    )
    assert "study stands for a whole list" in refusal(capsys, main, [*words, "--predicates", "study", "near"])
    assert "does not fit the predicate 'points towards'" in refusal(
        capsys, main, [*words, "--panels", "--wording", "study"]
    )
    assert "is no folder" in refusal(capsys, main, [*words, "--pictures", tmp_path / "nowhere"])
    h5 = data / "c_0.9_c_0.1_test_False.h5"
    h5.write_bytes(b"<html>quota exceeded</html>")
    assert f"{h5} is no HDF5 file of Rel3D's" in refusal(capsys, main, words)
    h5.unlink()
    assert "download.sh data_min" in refusal(capsys, main, words)
    assert not Path(tmp_path / "out").exists()


def test_another_build_does_not_go_into_the_folder(tmp_path, capsys):
    out = built(tmp_path)
    told = refusal(capsys, main, ["--data", tmp_path / "Rel3D", "--out", out, "--wording", "study"])
    assert 'wording: "sentence" there, "study" asked' in told


def test_a_build_that_is_there_is_left_alone_and_one_that_was_stopped_goes_on(tmp_path):
    out = built(tmp_path)
    before = (out / "manifest.json").stat().st_mtime_ns
    words = ["--data", str(tmp_path / "Rel3D"), "--out", str(out), "--max-dropped", "0.1"]
    main(words)
    assert (out / "manifest.json").stat().st_mtime_ns == before
    (out / "manifest.json").unlink()
    lost = next(iter(sorted((out / "images").iterdir())))
    kept = lost.read_bytes()
    lost.rename(lost.with_name(f".unfinished {lost.name}"))
    main(words)
    assert lost.read_bytes() == kept
    assert not list((out / "images").glob(".unfinished*"))
