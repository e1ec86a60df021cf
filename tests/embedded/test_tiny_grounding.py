"""The tiny data set: the tasks' own rows, nothing shared between splits, pictures of their own layout."""

import hashlib

import numpy as np
import pytest
from PIL import Image, ImageChops

from refusals import refusal
from vlm_grpo.embedded import tiny_grounding
from vlm_grpo.embedded.grounding_questions import KINDS, as_row
from vlm_grpo.embedded.grounding_scenes import render
from vlm_grpo.embedded.scenes import POOLS, pool_of
from vlm_grpo.embedded.tiny_grounding import draw_split
from vlm_grpo.rows import dataset
from vlm_grpo.tasks.registry import check_solutions, task_of

SMALL = {"train": 8, "validation": 4, "test": 4}


@pytest.fixture(scope="module", params=KINDS)
def built(request, tmp_path_factory):
    root = tmp_path_factory.mktemp("tiny") / request.param
    tiny_grounding.build(root, kind=request.param, seed=3, rows=SMALL)
    return request.param, root


def hashes(root):
    files = [*root.rglob("*.png"), *root.rglob("*.arrow")]
    return {str(file.relative_to(root)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_same_seed_same_bytes_other_seed_other_bytes(built, tmp_path):
    kind, root = built
    for name, seed in (("again", 3), ("other", 4)):
        tiny_grounding.build(tmp_path / name, kind=kind, seed=seed, rows=SMALL)
    first, again, other = hashes(root), hashes(tmp_path / "again"), hashes(tmp_path / "other")
    assert first == again
    assert all(first[name] != other[name] for name in first if name.endswith(".png"))


def test_rows_are_the_tasks_and_each_is_answered_by_its_picture(built):
    kind, root = built
    for split in POOLS:
        rows = dataset.load(root, split)
        check_solutions(rows, where=split)
        items = draw_split(split, SMALL[split], kind=kind, seed=3)
        assert rows == [as_row(item.name, kind, item.asked) for item in items]
        assert {pool_of(item.scene.layout) for item in items} == {split}
        for row, item in zip(rows, items, strict=True):
            with Image.open(root / row.images[0]) as stored:
                assert ImageChops.difference(stored, render(item.scene)).getbbox() is None


def test_what_is_drawn_of_the_truth_lies_around_the_shapes(built):
    kind, _ = built
    for item in draw_split("test", SMALL["test"], kind=kind, seed=3):
        row = as_row(item.name, kind, item.asked)
        outlines = task_of(row).outlines(task_of(row).truth(row), row)
        drawn = [(*np.min(outline.points, axis=0), *np.max(outline.points, axis=0)) for outline in outlines]
        assert np.abs(np.array(drawn) - [shape.box for shape in item.asked]).max() <= 6


def test_more_rows_than_layouts_is_one_line(tmp_path, capsys):
    words = ["--task", "rec", "--out", str(tmp_path / "data"), "--test", "1201"]
    assert "--test 1201: give 1 to 1200 rows" in refusal(capsys, tiny_grounding.main, words)


def test_masks_are_asked_for_in_the_codec_that_is_named_and_nothing_else_has_one(tmp_path, capsys):
    words = ["--task", "masks", "--out", str(tmp_path / "data"), "--train", "1", "--validation", "1", "--test", "2"]
    tiny_grounding.main([*words, "--codec", "cosine8"])
    assert [row.meta["codec"] for row in dataset.load(tmp_path / "data", "test")] == ["cosine8"] * 2
    words = ["--task", "rec", "--out", str(tmp_path / "boxes"), "--codec", "polygon"]
    assert "--codec polygon: rows of the task rec have none" in refusal(capsys, tiny_grounding.main, words)
