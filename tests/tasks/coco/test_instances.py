"""Reading COCO's instances: real files, objects that cannot be used, files that are none."""

import json

import numpy as np
import pytest
from pycocotools import mask as rle_masks

from coco_data import REAL, annotation, needs_coco, write_coco
from vlm_grpo.errors import UserError
from vlm_grpo.tasks.coco.files import instances_file
from vlm_grpo.tasks.coco.instances import mask, mask_fault, read, to_rle


@needs_coco
def test_the_real_file_has_three_kinds_of_masks_all_as_large_as_annotated():
    content = read(REAL / "instances_val2014_100.json")
    assert (len(content.pictures), len(content.categories), len(content.instances)) == (100, 80, 839)
    assert sum(entry.is_crowd for entry in content.instances) == 9
    assert content.faults == ()
    for entry in content.instances:
        rle = mask(entry)
        assert json.loads(json.dumps(rle)) == rle
        assert rle_masks.area(rle) == pytest.approx(entry.area, rel=0.15, abs=25)


def test_objects_that_cannot_be_used_are_listed(tmp_path):
    good = annotation(1, 1, 1, [2, 2, 20, 20])
    entries = [
        good,
        annotation(1, 1, 2, [2, 2, 20, 20]),
        annotation(3, 9, 1, [2, 2, 20, 20]),
        annotation(4, 1, 7, [2, 2, 20, 20]),
        annotation(5, 1, 1, [2, 2, 0, 20]),
        {**good, "id": 6, "bbox": [1, 2, 3]},
    ]
    content = read(instances_file(write_coco(tmp_path, entries, images=1), "val"))
    assert [entry.id for entry in content.instances] == [1]
    assert content.faults == (
        ("1", "id 1 occurs twice"),
        ("3", "image 9 is not in the file"),
        ("4", "category 7 is not in the file"),
        ("5", "its box is 0 x 20"),
        ("6", "it has no box"),
    )


@pytest.mark.parametrize(
    "segmentation, reason",
    [
        ({"counts": [0, 48 * 64], "size": [48, 64]}, None),
        ([[1, 1, 5, 1, 5, 5.5]], None),
        (None, None),
        ({"counts": [-4, 48 * 64 + 4], "size": [48, 64]}, "the run lengths of its mask do not make up its picture"),
        ({"counts": [5], "size": [48, 64]}, "the run lengths of its mask do not make up its picture"),
        ({"counts": "@@", "size": [-48, 64]}, "its mask has the size [-48, 64], its picture [48, 64] (height, width)"),
        ({"size": [48, 64]}, "its mask has no run lengths"),
        ([[1, 1, 5, 1, 5]], "its mask is neither polygons nor run lengths"),
        ([[1, 1, 5, 1, 5, "5"]], "its mask is neither polygons nor run lengths"),
        ([1, 1, 5, 1, 5, 5], "its mask is neither polygons nor run lengths"),
        ("polygon", "its mask is neither polygons nor run lengths"),
    ],
)
def test_a_mask_that_cannot_be_read_is_told(segmentation, reason, tmp_path):
    entries = [annotation(1, 1, 1, [2, 2, 20, 20], segmentation=segmentation)]
    content = read(instances_file(write_coco(tmp_path, entries, images=1), "val"))
    assert [mask_fault(entry) for entry in content.instances] == [reason]


@pytest.mark.parametrize("entry", [7, {"image_id": 1, "bbox": [1, 1, 2, 2]}])
def test_an_entry_of_another_form_is_one_line(entry, tmp_path):
    with pytest.raises(UserError, match=r"an entry of 'annotations' is no object with id; mend the file"):
        read(instances_file(write_coco(tmp_path, [entry], images=1), "val"))


@needs_coco
@pytest.mark.parametrize(
    "name, line", [("healthcheck_bad.json", "image id 1 occurs twice"), ("dt.json", "expected a JSON object")]
)
def test_a_file_that_is_damaged_is_one_line(name, line):
    with pytest.raises(UserError, match=line):
        read(REAL / "hotcoco_fixtures" / name)


def test_masks_of_no_pixel_are_none(tmp_path):
    entries = [
        annotation(1, 1, 1, [2, 2, 20, 20], segmentation=[]),
        annotation(2, 1, 1, [2, 2, 20, 20], segmentation=[[1, 1, 5, 5]]),
        annotation(3, 1, 1, [2, 2, 20, 20], segmentation={"counts": [64 * 48], "size": [48, 64]}),
    ]
    content = read(instances_file(write_coco(tmp_path, entries, images=1), "val"))
    assert [mask(entry) for entry in content.instances] == [None, None, None]


def test_run_lengths_packed_or_not_and_polygons_are_one_mask():
    square = np.zeros((48, 64), dtype=np.uint8, order="F")
    square[4:14, 8:28] = 1
    packed = to_rle(rle_masks.encode(square), width=64, height=48)
    runs = np.flatnonzero(np.diff(square.ravel(order="F"), prepend=0, append=0))
    counts = np.diff(runs, prepend=0, append=64 * 48).tolist()
    assert to_rle({"counts": counts, "size": [48, 64]}, width=64, height=48) == packed
    assert to_rle([[8, 4, 28, 4, 28, 14, 8, 14]], width=64, height=48) == packed
