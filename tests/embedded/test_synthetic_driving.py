"""The data set `synthetic_driving`: reproducible, its task's own rows, and its explanations earn everything."""

import hashlib

import pytest
from PIL import Image, ImageChops

from refusals import refusal
from vlm_grpo.embedded import synthetic_driving
from vlm_grpo.embedded.driving_questions import TERSE, VIEW
from vlm_grpo.embedded.driving_scenes import render
from vlm_grpo.embedded.scenes import POOLS, pool_of
from vlm_grpo.embedded.synthetic_driving import draw_split
from vlm_grpo.rewards.registry import by_names
from vlm_grpo.rows import dataset
from vlm_grpo.tasks.registry import check_solutions, task_of

SMALL = {"train": 24, "validation": 4, "test": 4}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = tmp_path_factory.mktemp("driving") / "data"
    synthetic_driving.build(root, seed=3, rows=SMALL)
    return root


def hashes(root):
    files = [*root.rglob("*.png"), *root.rglob("*.arrow")]
    return {str(file.relative_to(root)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_same_seed_same_bytes_other_seed_other_bytes(built, tmp_path):
    for name, seed in (("again", 3), ("other", 4)):
        synthetic_driving.build(tmp_path / name, seed=seed, rows=SMALL)
    first, again, other = hashes(built), hashes(tmp_path / "again"), hashes(tmp_path / "other")
    assert first == again
    assert all(first[name] != other[name] for name in first if name.endswith(".png"))


def test_rows_are_the_tasks_and_show_their_picture(built):
    for split in POOLS:
        rows, questions = dataset.load(built, split), draw_split(split, SMALL[split], seed=3)
        check_solutions(rows, where=split)
        assert {pool_of(question.scene.layout) for question in questions} == {split}
        for row, question in zip(rows, questions, strict=True):
            assert row.solution == ", ".join(question.right)
            with Image.open(built / row.images[0]) as stored:
                assert ImageChops.difference(stored, render(question.scene)).getbbox() is None


def test_what_sft_teaches_is_right_and_earns_the_boxes_where_it_is_thorough(built):
    boxes, terse = *by_names(["boxes"]), 0
    for row in dataset.load(built, "train"):
        taught = task_of(row).target(row, "explained", VIEW)
        assert task_of(row).outcome(taught, row, rule="strict", view=VIEW).right
        earned = boxes.score(taught, row, rule="strict", view=VIEW)
        terse += row.meta["terse"]
        assert (TERSE in taught, earned) == ((True, 0.0) if row.meta["terse"] else (False, 1.0))
    assert 0 < terse < SMALL["train"]


def test_rows_beyond_reason_are_refused(tmp_path, capsys):
    words = ["--out", tmp_path / "data", "--test", 2001]
    assert "--test 2001: give 1 to 2000 rows" in refusal(capsys, synthetic_driving.main, words)
