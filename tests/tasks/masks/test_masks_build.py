"""From COCO's files to rows and to the README's lines, and drawings of these."""

import hashlib
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from coco_data import annotation, write_coco
from picture_server import answer
from refusals import refusal
from vlm_grpo.rows import dataset
from vlm_grpo.rows.archives import Archive
from vlm_grpo.rows.records import Row
from vlm_grpo.store import jsonl, manifest
from vlm_grpo.tasks.coco import files
from vlm_grpo.tasks.masks import draw_polygons, sheet
from vlm_grpo.tasks.masks.command import main
from vlm_grpo.tasks.masks.task import TASK

OBJECTS = [
    annotation(1, 1, 1, [10, 8, 30, 30]),
    annotation(2, 1, 2, [45, 8, 17, 32]),
    annotation(3, 2, 1, [0, 0, 60, 40], iscrowd=1),
    annotation(4, 2, 2, [0, 0, 20, 20]),
    annotation(5, 2, 2, [30, 10, 30, 30]),
    annotation(6, 3, 1, [1, 1, 10, 10]),
    annotation(7, 3, 1, [2, 2, 20, 20], segmentation=[]),
    annotation(8, 3, 2, [2, 2, 58, 30], segmentation=[[2, 2, 32, 2, 32, 32, 2, 32], [50, 2, 60, 2, 60, 12, 50, 12]]),
]


@pytest.fixture
def coco(tmp_path):
    return write_coco(tmp_path / "coco", OBJECTS, images=3)


def words(out, coco, *more):
    return ["--output_dir", str(out), "--coco", str(coco), "--split", "val", "--skip-download", *map(str, more)]


def test_rows_lines_and_what_is_left_out(coco, tmp_path, capsys):
    out = tmp_path / "out"
    main(words(out, coco))
    rows = dataset.load(out, "validation")
    assert [row.meta["ann_id"] for row in rows] == [1, 2, 4, 5, 8]
    assert [row.meta["hint"] for row in rows] == ["category", "category", "box", "box", "category"]
    assert rows[0].problem == "Segment the person."
    assert "the dog in the box from left 469, top 208 to right 938, bottom 833 (thousandths" in rows[3].problem
    for row in rows:
        taught = TASK.outcome(TASK.target(row, "tagged"), row, rule="strict")
        assert taught.credit == pytest.approx(row.meta["round_trip"], abs=0.02)
    lines = [record for _, record in jsonl.read_input(out / "val.jsonl")]
    assert [line["id"] for line in lines] == [1, 2, 3, 4, 5]
    assert all(set(line) == {"id", "image", "conversations"} for line in lines)
    assert all((out / line["image"]).is_file() for line in lines)
    human, gpt = lines[0]["conversations"]
    assert (human["from"], gpt["from"]) == ("human", "gpt")
    assert human["value"].startswith("<image>Segment the person.")
    value = json.loads(gpt["value"].removeprefix("<answer>").removesuffix("</answer>"))
    assert list(value) == ["centre", "coeffs", "size"]
    assert (value["centre"], value["size"], len(value["coeffs"])) == ([24.0, 22.0], [48, 64], 8)
    assert " " not in gpt["value"]
    written = manifest.read(out, kind=dataset.KIND)
    assert written["dropped_by_kind"] == {"val": {"crowd": 1, "tiny": 1, "empty": 1}}
    assert [entry["id"] for entry in jsonl.read(out / "dropped.jsonl")] == ["object 3", "object 6", "object 7"]
    trip = written["round_trip"]["val"]
    assert (trip["codec"], trip["all"]["n"]) == ("cosine8", 5)
    assert trip["sample"]["polygon"]["mean"] > trip["sample"]["cosine8"]["mean"] == trip["all"]["mean"]
    assert "val left out: 1 crowd, 1 tiny, 1 empty" in capsys.readouterr().out


@pytest.mark.parametrize(
    "policy, ids, areas",
    [
        (["--parts", "keep"], [1, 2, 4, 5, 8], 1000),
        (["--parts", "largest"], [1, 2, 4, 5, 8], 900),
        (["--parts", "drop"], [1, 2, 4, 5], None),
        (["--min-area", "0", "--keep-crowds"], [1, 2, 3, 4, 5, 6, 8], 1000),
    ],
)
def test_policies_for_parts_crowds_and_tiny_objects(policy, ids, areas, coco, tmp_path):
    main(words(tmp_path / "out", coco, *policy))
    rows = dataset.load(tmp_path / "out", "validation")
    assert [row.meta["ann_id"] for row in rows] == ids
    assert areas is None or rows[-1].meta["area"] == areas


@pytest.mark.parametrize("policy, area", [("keep", 732), ("fill", 900), ("drop", None)])
def test_policies_for_holes(policy, area, tmp_path):
    ring = np.zeros((48, 64), dtype=np.uint8)
    ring[5:35, 10:40] = 1
    ring[10:16, 10:40] = 0
    ring[10:16, [10, 39]] = 1
    runs = np.flatnonzero(np.diff(ring.ravel(order="F"), prepend=0, append=0))
    counts = np.diff(runs, prepend=0, append=ring.size).tolist()
    segmentation = {"counts": counts, "size": [48, 64]}
    objects = [annotation(1, 1, 1, [10, 5, 30, 30], segmentation=segmentation), annotation(2, 1, 2, [41, 1, 20, 20])]
    coco = write_coco(tmp_path / "coco", objects, images=1)
    main(words(tmp_path / "out", coco, "--holes", policy))
    rows = dataset.load(tmp_path / "out", "validation")
    areas = {row.meta["ann_id"]: row.meta["area"] for row in rows}
    assert areas.get(1) == area
    assert areas[2] == 400


def test_expressions_name_objects(coco, tmp_path, capsys):
    lines = [{"ann_id": 5, "expression": "the dog on the right."}, {"ann_id": 5, "expression": "right dog"}]
    jsonl.write(tmp_path / "said.jsonl", lines)
    given = ["--question", "expression", "--expressions", tmp_path / "said.jsonl"]
    main(words(tmp_path / "out", coco, *given))
    rows = dataset.load(tmp_path / "out", "validation")
    assert [(row.meta["ann_id"], row.problem) for row in rows] == [(5, "Segment the dog on the right.")]
    assert "go together" in refusal(capsys, main, words(tmp_path / "other", coco, "--question", "expression"))
    jsonl.write(tmp_path / "said.jsonl", [{"ann_id": "5"}])
    assert "said.jsonl line 1: expected a number" in refusal(capsys, main, words(tmp_path / "other", coco, *given))
    assert "cosine8 has 8 terms" in refusal(capsys, main, words(tmp_path / "other", coco, "--order", "12"))


def test_the_originals_command_line_fetches_unpacks_and_builds(tmp_path, picture_server, monkeypatch):
    """`--output_dir DIR` alone: annotations and pictures come as archives, both splits are built there."""
    source = tmp_path / "there"
    for split in files.SPLITS:
        write_coco(source, OBJECTS, images=3, split=split)

    def archive(name, *folders):
        path = tmp_path / name
        with zipfile.ZipFile(path, "w") as packed:
            for folder in folders:
                for file in sorted((source / folder).iterdir()):
                    packed.write(file, f"{folder}/{file.name}")
        content = path.read_bytes()
        place = "annotations" if name.startswith("annotations") else "zips"
        picture_server.script[f"/{place}/{name}"] = [answer(200, content)]
        return Archive(f"{files.HOST}/{place}/{name}", len(content), hashlib.md5(content).hexdigest())

    monkeypatch.setattr(files, "ANNOTATIONS", archive("annotations_trainval2014.zip", "annotations"))
    monkeypatch.setattr(files, "PICTURES", {s: archive(f"{s}2014.zip", f"{s}2014") for s in files.SPLITS})
    out = tmp_path / "out"
    given = ["--output_dir", str(out), "--host", picture_server.address]
    main(given)
    for name in ("train.jsonl", "val.jsonl", "train2014/001.jpg", "val2014/001.jpg", "manifest.json"):
        assert (out / name).is_file()
    assert manifest.read(out)["counts"] == {"train": 5, "validation": 5}
    main(given)
    assert max(picture_server.hits.values()) == 1


def test_the_drawing_changes_pixels_where_the_outline_runs(coco, tmp_path, capsys):
    """The original read a key that its own lines lack, and drew nothing."""
    out, vis = tmp_path / "out", tmp_path / "vis"
    main(words(out, coco))
    given = [str(out / "val.jsonl"), "--image-root", str(out), "--output", str(vis)]
    draw_polygons.main([*given, "--limit", "2"])
    assert sorted(file.name for file in vis.iterdir()) == ["1.jpg", "2.jpg"]
    before, after = (np.asarray(Image.open(path)).astype(int) for path in (out / "val2014/001.jpg", vis / "1.jpg"))
    changed = np.abs(after[:48] - before).max(axis=2) > 60
    assert changed[18:26, 36:44].any()
    assert not changed[20:24, 20:28].any()
    assert (after[:48][changed][:, 1] > after[:48][changed][:, 0] + 40).any(), "some of it is green"

    said = [
        {"id": "val-2", "text": json.loads(json.dumps("<answer> {} </answer>"))},
        {"id": "4", "text": '<answer> {"centre": [45, 25], "coeffs": [15, 0, 0, 0, 0, 0, 0, 0]} </answer>'},
    ]
    jsonl.write(tmp_path / "generations.jsonl", said)
    draw_polygons.main([*given[:-1], str(tmp_path / "pair"), "--generations", str(tmp_path / "generations.jsonl")])
    assert sorted(file.name for file in (tmp_path / "pair").iterdir()) == ["2.jpg", "4.jpg"]
    drawn = np.asarray(Image.open(tmp_path / "pair" / "4.jpg")).astype(int)[:48]
    assert ((drawn[..., 0] > 180) & (drawn[..., 2] < 90)).any(), "the prediction is orange"

    jsonl.write(tmp_path / "outcomes.jsonl", [{"id": "val-1", "said": [[1, 1], [20, 1], [10, 30]]}])
    capsys.readouterr()
    draw_polygons.main([*given[:-1], str(tmp_path / "seen"), "--generations", str(tmp_path / "generations.jsonl")])
    assert "taken from" in capsys.readouterr().out
    assert [file.name for file in (tmp_path / "seen").iterdir()] == ["1.jpg"]


def test_lines_of_another_form_are_one_line(tmp_path, capsys):
    jsonl.write(tmp_path / "a.jsonl", [{"id": 1, "image": "a.jpg", "solution": "<answer>{}</answer>"}])
    onto = [tmp_path / "a.jsonl", "--output", tmp_path / "a.jsonl"]
    assert refusal(capsys, draw_polygons.main, onto).endswith("a.jsonl is a file; choose a folder for the output")
    given = [tmp_path / "a.jsonl", "--output", tmp_path / "vis"]
    assert "a.jsonl line 1: expected id, image and two conversations" in refusal(capsys, draw_polygons.main, given)
    turns = [{"from": "human", "value": "?"}, {"from": "gpt", "value": '<answer>{"centre":[1,2]}</answer>'}]
    jsonl.write(tmp_path / "a.jsonl", [{"id": 1, "image": "a.jpg", "conversations": turns}])
    assert "is no outline of cosine8, fourier8, polygon" in refusal(capsys, draw_polygons.main, given)


def test_a_sheet_shows_every_codec(coco, tmp_path):
    main(words(tmp_path / "out", coco))
    sheet.main(["--data", str(tmp_path / "out"), "--out", str(tmp_path / "sheet.png"), "--count", "2"])
    drawn = np.asarray(Image.open(tmp_path / "sheet.png").convert("RGB")).astype(int)
    assert drawn.shape[1] > 3 * 200
    assert ((drawn[..., 0] > 230) & (drawn[..., 2] < 60)).any()


def test_a_sheet_of_another_task_is_one_line(tmp_path, capsys):
    row = Row(id="a", images=("images/a.png",), problem="What?", solution="3", task="jsonl", meta={})
    dataset.save(tmp_path / "other", {"validation": [row]}, source={"name": "x"}, config={}, seconds=0.0)
    told = refusal(capsys, sheet.main, ["--data", tmp_path / "other", "--out", tmp_path / "sheet.png"])
    assert told.endswith("other is a data set of jsonl; give one of masks")


def test_a_mask_that_cannot_be_read_is_left_out(tmp_path):
    broken = {"counts": [-5, 48 * 64 + 5], "size": [48, 64]}
    objects = [annotation(1, 1, 1, [2, 2, 20, 20]), annotation(2, 1, 2, [2, 2, 20, 20], segmentation=broken)]
    main(words(tmp_path / "out", write_coco(tmp_path / "coco", objects, images=1)))
    (left_out,) = jsonl.read(tmp_path / "out" / "dropped.jsonl")
    assert (left_out["id"], left_out["kind"]) == ("object 2", "unusable object")
